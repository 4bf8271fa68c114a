//! A time limit that counts polls instead of time.

use futures_util::future::poll_fn;
use real_std::{
    pin::pin,
    task::{Context, Poll},
};

pub(crate) use real_std::time::{Duration, SystemTime};

/// More polls than any call needs that completes.
const MAX_POLLS: u32 = 8;

#[derive(Debug)]
pub(crate) struct Elapsed;

pub(crate) async fn timeout<F: Future>(_: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context: &mut Context<'_>| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        polls += 1;
        if polls == MAX_POLLS {
            return Poll::Ready(Err(Elapsed));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
