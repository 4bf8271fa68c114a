//! [`InjectedErrors`]: the errors that a test injects.

use std::time::Duration;

use http::StatusCode;

/// Errors that apply to the next requests, in the order in which they were injected.
#[derive(Default)]
pub(super) struct InjectedErrors(Vec<(usize, InjectedError)>);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum InjectedError {
    /// An AADSTS code.
    Code(u32),
    /// A status, and the value of `Retry-After`.
    Status(StatusCode, Option<Duration>),
}

impl InjectedErrors {
    pub(super) fn add(&mut self, requests: usize, error: InjectedError) {
        self.0.push((requests, error));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the error of the next request.
    pub(super) fn take(&mut self) -> Option<InjectedError> {
        self.0.retain(|(remaining, _)| *remaining > 0);
        let (remaining, error) = self.0.first_mut()?;
        *remaining -= 1;
        Some(error.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_applies_to_its_number_of_requests_in_order() {
        let mut errors = InjectedErrors::default();
        let busy = InjectedError::Status(StatusCode::SERVICE_UNAVAILABLE, None);
        errors.add(2, InjectedError::Code(1));
        errors.add(0, InjectedError::Code(2));
        errors.add(1, busy.clone());
        let taken: Vec<_> = (0..4).map(|_| errors.take()).collect();
        assert_eq!(taken, [Some(InjectedError::Code(1)), Some(InjectedError::Code(1)), Some(busy), None]);
        errors.add(1, InjectedError::Code(3));
        errors.clear();
        assert_eq!(errors.take(), None);
    }
}
