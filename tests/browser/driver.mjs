// A headless Chromium that does what it is told: one JSON object a line in, one JSON object a line out.
import puppeteer from "puppeteer-core";
import { createInterface } from "node:readline";

const [executablePath, profile] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath,
  userDataDir: profile,
  // The pages are the test's own, on loopback; root has no sandbox.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--no-proxy-server"],
});
const page = await browser.newPage();
page.setDefaultTimeout(30_000);

// Whatever the page complains of, and every address that it asks for.
const complaints = [];
const requests = [];
page.on("console", (message) => ["error", "warn"].includes(message.type()) && complaints.push(message.text()));
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("request", (request) => requests.push(request.url()));

const commands = {
  open: async ({ url }) => void (await page.goto(url, { waitUntil: "domcontentloaded" })),
  // The value of an expression in the page.
  read: ({ expression }) => page.evaluate(expression),
  // Waits until an expression is true.
  until: async ({ expression }) => void (await page.waitForFunction(expression, { polling: 50 })),
  choose: async ({ selector, value }) => void (await page.select(selector, value)),
  click: async ({ selector }) => void (await page.click(selector)),
  type: async ({ selector, value }) => void (await page.type(selector, value)),
  press: async ({ key }) => void (await page.keyboard.press(key)),
  look: async ({ width, height, scheme }) => {
    await page.setViewport({ width, height, deviceScaleFactor: 1 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  },
  shoot: async ({ path }) => void (await page.screenshot({ path })),
  complaints: () => complaints,
  requests: () => requests,
};

process.stdout.write('{"ready":true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...how } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[command](how)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
