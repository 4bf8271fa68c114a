//! [`Storm`]: many tasks that begin together, and of which it is known when each has begun to wait.

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

use super::soon;

pub(crate) struct Storm<T> {
    tasks: Vec<JoinHandle<T>>,
    polled: watch::Receiver<Polled>,
}

#[derive(Default)]
struct Polled {
    ready: usize,
    waiting: usize,
}

/// So many tasks, which all begin when the last is there.
pub(crate) fn storm<T, F>(tasks: usize, each: impl Fn(usize) -> F) -> Storm<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(tasks));
    let (sender, polled) = watch::channel(Polled::default());
    let sender = Arc::new(sender);
    let tasks = (0..tasks).map(|number| {
        let (barrier, sender, future) = (barrier.clone(), sender.clone(), each(number));
        tokio::spawn(async move {
            let mut future = pin!(future);
            barrier.wait().await;
            let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
            sender.send_modify(|polled| match first {
                Poll::Ready(_) => polled.ready += 1,
                Poll::Pending => polled.waiting += 1,
            });
            match first {
                Poll::Ready(output) => output,
                Poll::Pending => future.await,
            }
        })
    });
    Storm { tasks: tasks.collect(), polled }
}

impl<T> Storm<T> {
    /// Waits until each has been polled once, and tells how many were not ready then.
    pub(crate) async fn waiting(&mut self) -> usize {
        let tasks = self.tasks.len();
        let all = self.polled.wait_for(|polled| polled.ready + polled.waiting == tasks);
        soon("the first poll of all", all).await.unwrap().waiting
    }

    pub(crate) fn cancel(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    pub(crate) async fn ended(self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.tasks.len());
        for task in self.tasks {
            outputs.push(soon("the end of a task", task).await.unwrap());
        }
        outputs
    }
}

/// Waits until no task of this runtime is left: a call in the background has come to its end.
pub(crate) async fn quiet() {
    let metrics = Handle::current().metrics();
    soon("the end of all tasks", async {
        while metrics.num_alive_tasks() > 0 {
            yield_now().await;
        }
    })
    .await;
}
