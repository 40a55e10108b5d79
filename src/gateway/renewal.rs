//! Asking for a credential to be read again: BigCommerce has refused it, and the operator may just have put
//! another in its place.

use crate::policy::vocabulary::StoreHash;
use tokio::sync::{mpsc, oneshot};

/// How many may be asked for at once; who comes later does without.
const WAITING: usize = 1024;

/// The wish that the credential of a store be read again.
#[derive(Debug)]
pub struct Renewal {
    /// The store.
    pub store: StoreHash,
    done: oneshot::Sender<()>,
}

/// Where the wishes are sent to.
#[derive(Debug, Clone)]
pub struct Renewals(mpsc::Sender<Renewal>);

impl Renewals {
    /// A way for wishes, and its other end.
    pub fn new() -> (Self, mpsc::Receiver<Renewal>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Waits until the credential has been read again, if that can be had.
    pub(super) async fn ask(&self, store: StoreHash) {
        let (done, is_done) = oneshot::channel();
        if self.0.try_send(Renewal { store, done }).is_ok() {
            // If nobody reads any more, there is nothing to wait for.
            drop(is_done.await);
        }
    }
}

impl Renewal {
    /// It has been done.
    pub fn done(self) {
        // Whoever asked may have gone.
        let _gone = self.done.send(());
    }
}
