use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use metrics::histogram;
use shortlist_recommender::{Recommender, Request};
use shortlist_types::Timestamp;

use crate::GatewayError;
use crate::metric::ANN_RECALL;
use crate::stand_back::stand_back;

/// Repeats one request in so many by an exact search, on a thread of its own, and counts what share of it the
/// neighbour search finds. One waits at most; what comes meanwhile is left out.
#[derive(Debug)]
pub(crate) struct RecallProbe {
    queue: SyncSender<(Request, Timestamp)>,
    every: u64,
}

impl RecallProbe {
    /// Starts it; none if it is not wanted.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(recommender: Arc<Recommender>, every: u64) -> Result<Option<Self>, GatewayError> {
        if every == 0 {
            return Ok(None);
        }
        let (queue, requests) = sync_channel(1);
        // It ends with the sender.
        let work = move || probe(&recommender, &requests);
        thread::Builder::new().name("recall-probe".to_owned()).spawn(work).map_err(GatewayError::Workers)?;
        Ok(Some(Self { queue, every }))
    }

    /// Whether a request with this random number is one of those.
    pub(crate) fn wants(&self, random: u32) -> bool {
        u64::from(random).is_multiple_of(self.every)
    }

    /// Repeats a request, unless another one waits. Returns at once.
    pub(crate) fn repeat(&self, request: Request, now: Timestamp) {
        let _ = self.queue.try_send((request, now));
    }
}

fn probe(recommender: &Recommender, requests: &Receiver<(Request, Timestamp)>) {
    stand_back();
    while let Ok((request, now)) = requests.recv() {
        // Else there was nothing to compare, or the item that it was about is gone.
        if let Ok(Some(recall)) = recommender.ann_recall(&request, now) {
            histogram!(ANN_RECALL).record(recall);
        }
    }
}
