//! A runtime that can be shut down while its tasks run.

use futures_util::future::{AbortHandle, Aborted, abortable};
use real_std::{cell::RefCell, sync::Mutex};
use shuttle::future::JoinHandle;

use crate::sync::Arc;

shuttle::thread_local! {
    static CURRENT: RefCell<Option<Handle>> = RefCell::new(None);
}

/// The running tasks, or `None` after the shutdown. The lock is not held across a task switch.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<Mutex<Option<Vec<AbortHandle>>>>);

#[derive(Debug)]
pub(crate) struct NoRuntime;

impl Handle {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }

    pub(crate) fn try_current() -> Result<Self, NoRuntime> {
        CURRENT.with(|current| current.borrow().clone()).ok_or(NoRuntime)
    }

    /// Spawns a task. It is dropped when the runtime shuts down, or at once if that has happened already.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<Result<F::Output, Aborted>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (task, abort) = abortable(task);
        match &mut *self.0.lock().expect("not poisoned") {
            Some(tasks) => tasks.push(abort),
            None => abort.abort(),
        }
        if task.is_aborted() {
            drop(task);
            return shuttle::future::spawn(async { Err(Aborted) });
        }
        let runtime = self.clone();
        shuttle::future::spawn(async move {
            CURRENT.with(|current| *current.borrow_mut() = Some(runtime));
            task.await
        })
    }

    pub(crate) fn shut_down(&self) {
        let tasks = self.0.lock().expect("not poisoned").take();
        tasks.into_iter().flatten().for_each(|task| task.abort());
    }
}
