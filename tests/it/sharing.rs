//! Several gateways, each a process of its own, share one store's quota by a real Redis. The tests do a short run;
//! `tests/sharing/run` does the whole, with BigCommerce's own numbers, and prints the table of each.

mod alone;
mod clients;
mod cluster;
mod cost;
mod fleet;
mod outcome;
mod script;
mod settings;
mod shares;
