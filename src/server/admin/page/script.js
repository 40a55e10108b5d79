"use strict";
// Shows what the gateway tells: numbers that only grow, from which rates follow, and the last decisions. All that
// comes in is put into the page as text.

const SECONDS = 120;
const MINUTE = 60_000;
const KEPT = 100;
const CALLERS = 12;
const HIDDEN_FOR = 30_000;
/** States come once a second: after a longer pause nothing is known of the time between, and sooner is the same one. */
const GAP = 5000;
const TOO_SOON = 500;

const by = (id) => document.getElementById(id);

function make(tag, attributes, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...content.filter((part) => part !== null && part !== undefined));
  return element;
}

// --- figures ---

const whole = new Intl.NumberFormat("en");

function rate(value) {
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(1) : whole.format(Math.round(value));
}

function percent(part, all) {
  if (all === 0) return "–";
  const value = (100 * part) / all;
  return `${value === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)} %`;
}

function seconds(value) {
  if (value === null) return "–";
  if (value >= 9.95) return `${Math.round(value)} s`;
  if (value >= 0.995) return `${value.toFixed(1)} s`;
  if (value < 0.0000995) return `${Math.round(value * 1e6)} µs`;
  return value < 0.00995 ? `${(value * 1000).toFixed(1)} ms` : `${Math.round(value * 1000)} ms`;
}

function span(milliseconds) {
  const all = Math.max(0, Math.round(milliseconds / 1000));
  const units = [[Math.floor(all / 86_400), "d"], [Math.floor(all / 3600) % 24, "h"], [Math.floor(all / 60) % 60, "min"], [all % 60, "s"]];
  const first = units.findIndex(([value]) => value > 0);
  if (first < 0) return "0 s";
  return units.slice(first, first + 2).filter(([value]) => value > 0).map(([value, unit]) => `${value} ${unit}`).join(" ");
}

const plural = (count, one, many) => `${whole.format(count)} ${count === 1 ? one : many}`;

// --- what was told ---

/** The newest state, and for each of the last two minutes' events what was counted by then. */
let now = null;
let samples = [];
let callers = new Map();
let decisions = [];

function sample(state) {
  const codes = new Map();
  let allowed = 0;
  let denied = 0;
  for (const kind of state.requests) {
    if (kind.decision === "allowed") allowed += kind.count;
    else denied += kind.count;
    codes.set(kind.code, (codes.get(kind.code) ?? 0) + kind.count);
  }
  const each = new Map();
  for (const [name, caller] of callers) each.set(name, [caller.allowed, caller.denied]);
  return { at: state.at_ms, allowed, denied, codes, latency: state.latency.counts, callers: each };
}

function take(state) {
  if (now !== null && state.process !== now.process) {
    samples = [];
    callers = new Map();
    decisions = [];
    by("log").replaceChildren();
  }
  // One that was told before the page was told everything.
  if (now !== null && state.process === now.process && state.at_ms <= now.at_ms) return;
  now = state;
  for (const caller of state.callers) callers.set(caller.name, caller);
  const newest = decisions.length > 0 ? decisions[decisions.length - 1].number : 0;
  const added = state.decisions.filter((decision) => decision.number > newest);
  decisions = decisions.concat(added).slice(-KEPT);
  const last = samples[samples.length - 1];
  if (last !== undefined && state.at_ms - last.at > GAP) samples = [];
  const isSoon = last !== undefined && state.at_ms - last.at < TOO_SOON;
  if (isSoon && samples.length > 1) samples.pop();
  if (!isSoon || samples.length > 0) samples.push(sample(state));
  // One more than the chart shows, because it shows differences.
  while (samples.length > 2 && samples[1].at < state.at_ms - SECONDS * 1000) samples.shift();
}

/** What was counted a minute ago, or when the page began to look. */
function minuteAgo() {
  const last = samples[samples.length - 1];
  return samples.find((earlier) => earlier.at >= last.at - MINUTE) ?? last;
}

/** The time within which this part of the answers between two samples came, in seconds. */
function quantile(part, before, after) {
  const counts = after.latency.map((count, index) => count - before.latency[index]);
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  const bounds = now.latency.bounds;
  let rest = part * all;
  for (const [index, count] of counts.entries()) {
    if (rest <= count) {
      if (index === bounds.length) return bounds[bounds.length - 1];
      const from = index === 0 ? 0 : bounds[index - 1];
      return from + ((bounds[index] - from) * rest) / count;
    }
    rest -= count;
  }
  return bounds[bounds.length - 1];
}

// --- drawing ---

function text(id, value) {
  const element = by(id);
  if (element.textContent !== value) element.textContent = value;
}

/** Bars from left (long ago) to right (now), `values` being [from, to] in parts of the height. */
function bars(path, values) {
  const offset = SECONDS - values.length;
  const bar = ([from, to], index) => {
    const [x, bottom, top] = [offset + index, 40 - 39 * from, 40 - 39 * to];
    return top < bottom ? `M${x} ${bottom.toFixed(2)}V${top.toFixed(2)}h.8V${bottom.toFixed(2)}z` : "";
  };
  path.setAttribute("d", values.map(bar).join("") || "M0 0");
}

function charts() {
  const steps = [];
  for (let index = 1; index < samples.length; index += 1) {
    const [before, after] = [samples[index - 1], samples[index]];
    const time = Math.max(0.001, (after.at - before.at) / 1000);
    steps.push({
      allowed: (after.allowed - before.allowed) / time,
      denied: (after.denied - before.denied) / time,
      slow: quantile(0.95, samples[Math.max(0, index - 10)], after),
    });
  }
  const peaks = {
    requests: Math.max(0, ...steps.map((step) => step.allowed + step.denied)),
    refused: Math.max(0, ...steps.filter((step) => step.allowed + step.denied > 0).map((step) => step.denied / (step.allowed + step.denied))),
    latency: Math.max(0, ...steps.map((step) => step.slow ?? 0)),
  };
  const [most, slowest] = [Math.max(1, peaks.requests), Math.max(0.001, peaks.latency)];
  const shown = { requests: rate(peaks.requests), refused: percent(peaks.refused, 1), latency: seconds(peaks.latency) };
  for (const [name, value] of Object.entries(shown)) {
    const words = peaks[name] > 0 ? `${name === "latency" ? "95 % in two minutes" : "two minutes"}, at most ${value}` : "";
    text(`peak-${name}`, words);
    by(`chart-${name}`).setAttribute("aria-label", words === "" ? "nothing in the last two minutes" : words);
  }
  const requests = by("chart-requests").querySelectorAll("path");
  bars(requests[0], steps.map((step) => [0, step.allowed / most]));
  bars(requests[1], steps.map((step) => [step.allowed / most, (step.allowed + step.denied) / most]));
  bars(by("chart-refused").querySelector("path"), steps.map((step) => {
    const all = step.allowed + step.denied;
    return [0, all === 0 ? 0 : step.denied / all];
  }));
  bars(by("chart-latency").querySelector("path"), steps.map((step) => [0, (step.slow ?? 0) / slowest]));
}

function tiles() {
  const last = samples[samples.length - 1];
  const before = samples[Math.max(0, samples.length - 2)];
  const time = Math.max(0.001, (last.at - before.at) / 1000);
  const [allowed, denied] = [(last.allowed - before.allowed) / time, (last.denied - before.denied) / time];
  text("rate", rate(allowed + denied));
  text("rate-allowed", rate(allowed));
  text("rate-denied", rate(denied));
  const minute = minuteAgo();
  const refused = last.denied - minute.denied;
  const all = refused + last.allowed - minute.allowed;
  text("refused-share", percent(refused, all));
  text("refused-minute", whole.format(refused));
  text("requests-minute", whole.format(all));
  for (const [id, part] of [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]]) text(id, seconds(quantile(part, minute, last)));
}

function facts() {
  const { configuration } = now;
  const age = (since) => span(now.now_ms - Date.parse(since));
  const parts = [
    `up ${age(now.began)}`,
    `configuration generation ${configuration.generation}, in force for ${age(configuration.since)}`,
    plural(now.connections, "client connection", "client connections"),
  ];
  if (now.waiting > 0) parts.push(`${plural(now.waiting, "request waits", "requests wait")} for a turn`);
  for (const issuer of now.issuers) parts.push(`${issuer.name}: ${plural(issuer.keys, "key", "keys")}${issuer.age_s === null ? "" : `, ${span(issuer.age_s * 1000)} old`}`);
  const looked = now.at_ms - samples[0].at;
  if (looked < MINUTE) parts.push(`“the last minute” is ${span(looked)} so far`);
  text("version", now.version);
  const line = by("facts");
  line.replaceChildren(...parts.map((part) => make("span", {}, part)));
}

function notices() {
  const { configuration, audit } = now;
  const list = [];
  const say = (isBad, ...content) => list.push(make("div", { class: isBad ? "notice bad" : "notice" }, ...content));
  const fold = (isBad, title, content) => say(isBad, make("details", {}, make("summary", {}, title), content));
  if (audit.failing) say(true, "The audit log cannot be written; the operational log says why. With audit.on_failure = \"refuse\" requests get 503 until it can, and are listed then. Make room, or move the file to another file system and send SIGUSR1.");
  if (audit.lost > 0) say(true, `${plural(audit.lost, "decision was", "decisions were")} not recorded: the audit log had no room.`);
  if (configuration.report !== null) fold(true, `The configuration read at ${configuration.refused_at} is refused; the one before stays in force.`, make("pre", {}, configuration.report));
  for (const issuer of now.issuers) if (issuer.keys === 0) say(true, `No keys of the issuer ${issuer.name}: its tokens are refused.`);
  for (const store of now.stores) {
    if (store.pause_ms > 0) say(true, `BigCommerce wants the store ${store.store} left alone for ${span(store.pause_ms)} more.`);
    if (store.shared !== null && !store.shared.is_joined) say(false, `The quota of ${store.store} is not shared now: this gateway spends one part of ${store.shared.replicas}.`);
  }
  if (configuration.waiting.length > 0) say(false, `Takes effect at the next start: ${configuration.waiting.join(", ")}.`);
  const { warnings } = configuration;
  if (warnings.length > 0) fold(false, plural(warnings.length, "thing in the configuration is hardly meant", "things in the configuration are hardly meant"), make("ul", {}, ...warnings.map((warning) => make("li", {}, warning))));
  const section = by("notices");
  // What stands already stays as it is: somebody may have unfolded it, or be there by the keyboard.
  const there = new Map([...section.children].map((notice) => [notice.textContent, notice]));
  const kept = list.map((notice) => there.get(notice.textContent) ?? notice);
  for (const notice of [...section.children]) if (!kept.includes(notice)) notice.remove();
  for (const [index, notice] of kept.entries()) if (section.children[index] !== notice) section.insertBefore(notice, section.children[index] ?? null);
  section.hidden = list.length === 0;
}

function meter(used, kept, all) {
  const width = (part) => `${all === 0 ? 0 : Math.min(100, (100 * part) / all)}%`;
  const bar = make("span", { class: kept + used >= all ? "meter spent" : "meter", "aria-hidden": "true" });
  for (const [name, part] of [["used", used], ["kept", kept]]) {
    const piece = make("i", { class: name });
    piece.style.width = width(part);
    bar.append(piece);
  }
  return bar;
}

function stores() {
  by("stores").hidden = now.stores.length === 0;
  const card = (store) => {
    const used = store.quota - store.left;
    const kept = Math.min(store.keep_free, store.left);
    const past = make("i", {});
    past.style.width = `${(100 * (store.window_ms - Math.min(store.reset_ms, store.window_ms))) / Math.max(1, store.window_ms)}%`;
    const bar = meter(used, kept, store.quota);
    if (store.available === 0) bar.classList.add("spent");
    const notes = [];
    if (store.pause_ms > 0) notes.push(make("p", { class: "alert" }, `left alone for ${span(store.pause_ms)} more`));
    const kinds = [store.is_told ? "as BigCommerce told" : "by the configuration: no answer has told it in this window"];
    if (store.shared !== null) kinds.push(store.shared.is_joined ? `shared by ${plural(store.shared.replicas, "gateway", "gateways")}` : `not shared now: one part of ${store.shared.replicas}`);
    return make("article", { class: "store", "data-store": store.store },
      make("h3", {}, store.store, make("span", {}, `window of ${span(store.window_ms)}, ends in ${span(store.reset_ms)}`)),
      bar,
      make("div", { class: "time", "aria-hidden": "true" }, past),
      make("p", {}, make("b", {}, `${whole.format(used)} of ${whole.format(store.quota)}`), " used · ", make("b", {}, whole.format(store.available)), " left for callers", kept > 0 ? ` · ${whole.format(kept)} kept free` : ""),
      ...notes,
      make("p", {}, kinds.join(" · ")));
  };
  by("stores-list").replaceChildren(...now.stores.map(card));
}

let allCallers = false;

function callerRows() {
  const last = samples[samples.length - 1];
  // A caller comes now and then: its rate is that of five seconds.
  const [second, minute] = [samples[Math.max(0, samples.length - 6)], minuteAgo()];
  const time = Math.max(0.001, (last.at - second.at) / 1000);
  const rows = [...callers.values()].map((caller) => {
    const since = (earlier) => earlier.callers.get(caller.name) ?? [0, 0];
    const [then, begun] = [since(second), since(minute)];
    return {
      caller,
      rate: (caller.allowed + caller.denied - then[0] - then[1]) / time,
      minute: caller.allowed + caller.denied - begun[0] - begun[1],
      refused: caller.denied - begun[1],
    };
  });
  rows.sort((one, other) => other.minute - one.minute || other.caller.allowed + other.caller.denied - one.caller.allowed - one.caller.denied || (one.caller.name < other.caller.name ? -1 : 1));
  const count = (value, isBad) => make("td", { role: "cell", class: `number ${value === 0 ? "zero" : isBad ? "some" : ""}` }, whole.format(value));
  const shares = (caller) => now.stores.length === 0 ? ["–"] : caller.shares.filter((share) => share.spent + share.left > 0).map((share) => make("span", { class: "share" },
    meter(share.spent, 0, share.spent + share.left),
    `${whole.format(share.spent)} of ${whole.format(share.spent + share.left)}`,
    now.stores.length > 1 ? ` in ${share.store}` : "",
    share.guaranteed > 0 ? make("span", { class: "quiet" }, ` (${whole.format(share.guaranteed)} guaranteed)`) : null));
  // On a narrow screen the rows are grids, which some browsers no longer tell as rows.
  const row = ({ caller, ...figures }) => make("tr", { role: "row", "data-caller": caller.name },
    make("td", { role: "cell", class: "name", title: caller.name }, caller.name),
    make("td", { role: "cell", class: `number ${figures.rate === 0 ? "zero" : ""}` }, rate(figures.rate)),
    count(figures.minute, false),
    count(figures.refused, true),
    make("td", { role: "cell" }, ...shares(caller)));
  const shown = allCallers ? rows : rows.slice(0, CALLERS);
  const none = make("tr", {}, make("td", { class: "none", colspan: "5" }, "No caller has come yet."));
  by("callers").tBodies[0].replaceChildren(...(shown.length > 0 ? shown.map(row) : [none]));
  const more = by("callers-more");
  more.hidden = rows.length <= CALLERS;
  text("callers-more", allCallers ? `Show the ${CALLERS} busiest` : `Show all ${whole.format(rows.length)} callers`);
}

function codeRows() {
  const [last, minute] = [samples[samples.length - 1], minuteAgo()];
  const rows = [...last.codes].filter(([code]) => code !== "ok").map(([code, count]) => ({ code, count, minute: count - (minute.codes.get(code) ?? 0) }));
  rows.sort((one, other) => other.minute - one.minute || other.count - one.count || (one.code < other.code ? -1 : 1));
  const row = ({ code, count, minute: recent }) => make("tr", { "data-code": code },
    make("td", {}, make("code", {}, code)),
    make("td", { class: `number ${recent === 0 ? "zero" : "some"}` }, whole.format(recent)),
    make("td", { class: "number" }, whole.format(count)));
  const none = make("tr", {}, make("td", { class: "none", colspan: "3" }, last.allowed + last.denied === 0 ? "No request has come yet." : "Every request was passed on."));
  by("codes").tBodies[0].replaceChildren(...(rows.length > 0 ? rows.map(row) : [none]));
  text("answers", now.answers.length === 0 ? "" : `BigCommerce’s answers since the start: ${now.answers.map(({ status, count }) => `${whole.format(count)} × ${status}`).join(", ")}.`);
}

// --- decisions ---

const filters = { decision: by("filter-decision"), caller: by("filter-caller"), code: by("filter-code"), text: by("filter-text") };
let isPaused = false;

function target(decision) {
  const parts = [];
  if (decision.customer_id !== null) parts.push(`customer ${decision.customer_id}`);
  if (decision.items !== null) parts.push(plural(decision.items, "item", "items"));
  else if (decision.metafield_id !== null) parts.push(`metafield ${decision.metafield_id}`);
  const name = [decision.namespace, decision.key].filter((part) => part !== null).join(" / ");
  if (name !== "") parts.push(decision.items > 1 ? `${name} …` : name);
  if (decision.permission_set !== null) parts.push(decision.permission_set);
  return parts.join(" · ");
}

const DETAILS = [
  ["time", "time"], ["correlation id", "correlation_id"], ["peer", "peer"], ["caller", "caller"], ["known by", "identified_by"],
  ["store", "store"], ["method", "method"], ["operation", "operation"], ["customer", "customer_id"], ["metafield", "metafield_id"],
  ["items", "items"], ["namespace", "namespace"], ["key", "key"], ["permission set", "permission_set"], ["decision", "decision"],
  ["code", "code"], ["would be refused as", "reported"], ["sent", "sent"], ["BigCommerce’s status", "upstream_status"],
];

function details(decision) {
  const list = make("dl", {});
  const row = (name, value) => list.append(make("dt", {}, name), make("dd", {}, value));
  for (const [name, field] of DETAILS) if (decision[field] !== null) row(name, String(decision[field]));
  row("took", seconds(decision.duration_us / 1e6));
  if (decision.upstream_us !== null) row("BigCommerce took", seconds(decision.upstream_us / 1e6));
  return list;
}

/** The gateway's code, or else BigCommerce's status. */
const verdict = (decision) => decision.code ?? (decision.upstream_status === null ? decision.decision : String(decision.upstream_status));

function entry(decision) {
  const isDenied = decision.decision === "denied";
  const hasFailed = !isDenied && (decision.code !== null || decision.upstream_status >= 400);
  const summary = make("summary", {},
    make("span", { class: "when" }, decision.time.slice(11, 23)),
    make("span", { class: "who" }, decision.caller ?? "–"),
    make("span", { class: "what" }, decision.operation ?? decision.method ?? "–", " ", make("span", {}, target(decision))),
    make("span", { class: `verdict ${isDenied ? "denied" : hasFailed ? "failed" : "allowed"}` }, verdict(decision)),
    make("span", { class: "took" }, seconds(decision.duration_us / 1e6)));
  const folded = make("details", {}, summary);
  folded.addEventListener("toggle", () => {
    if (folded.open && folded.children.length === 1) folded.append(details(decision));
  });
  const item = make("li", { "data-number": decision.number }, folded);
  item.decision = decision;
  return item;
}

const searched = (decision) => DETAILS.map(([, field]) => decision[field] ?? "").join("\n").toLowerCase();

function isWanted(decision) {
  const word = filters.text.value.trim().toLowerCase();
  return (filters.decision.value === "" || decision.decision === filters.decision.value)
    && (filters.caller.value === "" || decision.caller === filters.caller.value)
    && (filters.code.value === "" || verdict(decision) === filters.code.value)
    && (word === "" || searched(decision).includes(word));
}

function choices(select, values) {
  const chosen = select.value;
  const wanted = [...new Set([...values, ...(chosen === "" ? [] : [chosen])])].sort();
  const there = [...select.options].slice(1).map((option) => option.value);
  if (wanted.join("\n") === there.join("\n")) return;
  select.replaceChildren(select.options[0], ...wanted.map((value) => make("option", { value }, value)));
  select.value = chosen;
}

function log() {
  const list = by("log");
  if (!isPaused) {
    const newest = Number(list.querySelector("[data-number]")?.dataset.number ?? 0);
    for (const decision of decisions) if (decision.number > newest) list.prepend(entry(decision));
    for (const item of [...list.querySelectorAll("[data-number]")].slice(KEPT)) item.remove();
    choices(filters.caller, decisions.map((decision) => decision.caller).filter((name) => name !== null));
    choices(filters.code, decisions.map(verdict));
  }
  let shown = 0;
  const items = [...list.querySelectorAll("[data-number]")];
  for (const item of items) {
    item.hidden = !isWanted(item.decision);
    if (!item.hidden) shown += 1;
  }
  list.querySelector(".none")?.remove();
  const why = !now.audit.is_on ? "The audit log is off, so that decisions are not kept." : items.length === 0 ? "No request has come yet." : "No decision fits the filters.";
  if (shown === 0) list.append(make("li", { class: "none" }, why));
  const waiting = isPaused ? decisions.filter((decision) => decision.number > Number(items[0]?.dataset.number ?? 0)).length : 0;
  const parts = [items.length === 0 ? "" : shown === items.length ? `${plural(shown, "decision", "decisions")}, the newest first, in UTC` : `${shown} of ${items.length} decisions`];
  if (isPaused) parts.push(`paused: ${plural(waiting, "more has", "more have")} come`);
  text("shown", parts.filter((part) => part !== "").join(" · "));
}

// --- the connection ---

const STAGES = { serving: ["Live", "live"], leaving: ["Leaving: not ready any more", "leaving"], draining: ["Draining", "leaving"], stopped: ["Stopped", "lost"] };

function state(words, kind) {
  text("state", words);
  document.querySelector("main").classList.toggle("stale", kind === "lost");
  by("state").className = `state ${kind}`;
}

function draw() {
  if (now === null) return;
  facts();
  notices();
  tiles();
  charts();
  stores();
  callerRows();
  codeRows();
  log();
}

let source = null;

function connect() {
  source = new EventSource("events");
  source.addEventListener("state", (event) => {
    take(JSON.parse(event.data));
    state(...STAGES[now.stage]);
    draw();
  });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) {
      state("Connection lost: trying again", "lost");
      return;
    }
    state("Not served: as many pages look as may", "lost");
    setTimeout(() => source?.readyState === EventSource.CLOSED && connect(), 5000);
  });
}

by("callers-more").addEventListener("click", () => {
  allCallers = !allCallers;
  callerRows();
});
by("filters").addEventListener("input", log);
by("filters").addEventListener("submit", (event) => event.preventDefault());
by("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  by("pause").setAttribute("aria-pressed", String(isPaused));
  text("pause", isPaused ? "Go on" : "Pause");
  if (now !== null) log();
});

// Who does not look shall cost nothing.
let hiding = null;

function appear() {
  clearTimeout(hiding);
  if (!document.hidden) {
    if (source === null) connect();
    return;
  }
  hiding = setTimeout(() => {
    source?.close();
    source = null;
  }, HIDDEN_FOR);
}

document.addEventListener("visibilitychange", appear);
appear();
