//! [`ConcurrentTasks`]: tasks that start at the same time, with a count of those that have to wait.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use tokio::{
    runtime::Handle,
    sync::{Barrier, watch},
    task::{JoinHandle, yield_now},
};

use super::with_timeout;

pub(crate) struct ConcurrentTasks<T> {
    tasks: Vec<JoinHandle<T>>,
    first_polls: watch::Receiver<FirstPolls>,
}

/// The number of tasks whose first poll was ready or pending.
#[derive(Default)]
struct FirstPolls {
    ready: usize,
    pending: usize,
}

/// Spawns `count` tasks that wait for each other before they start.
pub(crate) fn spawn_concurrent<T, F>(count: usize, task: impl Fn(usize) -> F) -> ConcurrentTasks<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(count));
    let (sender, first_polls) = watch::channel(FirstPolls::default());
    let sender = Arc::new(sender);
    let tasks = (0..count).map(|number| {
        let (barrier, sender, future) = (barrier.clone(), sender.clone(), task(number));
        tokio::spawn(async move {
            let mut future = pin!(future);
            barrier.wait().await;
            let first_poll = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
            sender.send_modify(|first_polls| match first_poll {
                Poll::Ready(_) => first_polls.ready += 1,
                Poll::Pending => first_polls.pending += 1,
            });
            match first_poll {
                Poll::Ready(output) => output,
                Poll::Pending => future.await,
            }
        })
    });
    ConcurrentTasks { tasks: tasks.collect(), first_polls }
}

impl<T> ConcurrentTasks<T> {
    /// Waits until each task has been polled once. Returns how many were pending then.
    pub(crate) async fn pending_after_first_poll(&mut self) -> usize {
        let count = self.tasks.len();
        let all_polled = self.first_polls.wait_for(|polls| polls.ready + polls.pending == count);
        with_timeout("first poll of all tasks", all_polled).await.unwrap().pending
    }

    pub(crate) fn abort(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    pub(crate) async fn join(self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.tasks.len());
        for task in self.tasks {
            outputs.push(with_timeout("end of a task", task).await.unwrap());
        }
        outputs
    }
}

/// Waits until this runtime has no more tasks, such as a background refresh.
pub(crate) async fn wait_for_background_tasks() {
    let metrics = Handle::current().metrics();
    with_timeout("end of all tasks", async {
        while metrics.num_alive_tasks() > 0 {
            yield_now().await;
        }
    })
    .await;
}
