//! Tasks of one worker: they never leave its thread.

use std::future::Future;

/// Lets hyper spawn the tasks of HTTP/2 on the worker that it runs on.
#[derive(Debug, Clone, Copy)]
pub struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        // The runtime owns the task; nobody waits for it.
        drop(tokio::task::spawn_local(future));
    }
}
