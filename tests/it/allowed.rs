//! What must be allowed, with the exact bytes at the upstream and in the answer.

mod answers;
mod bodies;
mod connections;
mod requests;
