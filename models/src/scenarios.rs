//! What may happen at once, and what must hold in every order.
//!
//! That every task ends is part of each: the scheduler ends a run in which none can go on, or in which they go on
//! without end.

use real_std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{AbortHandle, abortable, join_all};
use http::HeaderValue;
use shuttle::{
    future::{JoinHandle, block_on},
    rand::{Rng, thread_rng},
};

use crate::{
    Error, ErrorKind, Result,
    credential::{Credential, Mood},
    runtime::Handle,
    sync::Arc,
    time::Duration,
    token::Slot,
};

/// The promise and how it is put to the test.
type Scenario = (&'static str, fn());

pub(crate) const ALL: [Scenario; 10] = [
    ("all who find no token share one call", cold),
    ("all who find no token share its failure", failing),
    ("a call that hangs is given up, for all who wait", hanging),
    ("who is cancelled cancels nobody else's call", cancelled),
    ("a call that is dropped with its runtime is begun again on another", dropped),
    ("a token that is due is served while one call refreshes it", due),
    ("a refused value is not served after it was replaced", refused),
    ("a refused value is not served after it was replaced, by a refresh either", refused_when_due),
    ("a token that has ended is not served", ended),
    ("a credential is called twice at once, and no more", many_scopes),
];

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";
const UNTIL_DUE: Duration = Duration::from_secs(3600 - 179);
const UNTIL_ENDED: Duration = Duration::from_secs(3600);

type Asked = JoinHandle<Result<Result<HeaderValue, Error>, futures_util::future::Aborted>>;

fn ask(runtime: &Handle, slot: &Arc<Slot>) -> Asked {
    let slot = slot.clone();
    runtime.spawn(async move { slot.authorization().await })
}

fn outcome(asked: Asked) -> Result<HeaderValue> {
    block_on(asked).expect("no panic").expect("its runtime goes on")
}

/// A slot that holds a token, and that token's value.
fn warm() -> (Arc<Credential>, Arc<Slot>, Handle, HeaderValue) {
    let (credential, source) = Credential::new(Mood::Gives);
    let (slot, runtime) = (source.slot(SCOPE), Handle::new());
    let value = outcome(ask(&runtime, &slot)).expect("a token");
    (credential, slot, runtime, value)
}

fn cold() {
    let (credential, source) = Credential::new(Mood::Gives);
    let runtime = Handle::new();
    let asked: Vec<_> = (0..3).map(|_| ask(&runtime, &source.slot(SCOPE))).collect();
    assert!(asked.into_iter().all(|asked| outcome(asked).is_ok()));
    assert_eq!(credential.calls(), 1);
}

fn failing() {
    let (credential, source) = Credential::new(Mood::Fails);
    let (slot, runtime) = (source.slot(SCOPE), Handle::new());
    let asked: Vec<_> = (0..3).map(|_| ask(&runtime, &slot)).collect();
    assert!(asked.into_iter().all(|asked| outcome(asked).is_err()));
    assert_eq!(credential.calls(), 1);

    // The rest after a failure is at most a second.
    credential.clock.forward(Duration::from_secs(1));
    credential.set_mood(Mood::Gives);
    assert!(outcome(ask(&runtime, &slot)).is_ok());
}

fn hanging() {
    let (credential, source) = Credential::new(Mood::Hangs);
    let (slot, runtime) = (source.slot(SCOPE), Handle::new());
    let asked: Vec<_> = (0..3).map(|_| ask(&runtime, &slot)).collect();
    for asked in asked {
        assert_eq!(outcome(asked).expect_err("no token").kind, ErrorKind::Timeout);
    }
    assert_eq!(credential.calls(), 1);
}

fn cancelled() {
    let (credential, source) = Credential::new(Mood::Gives);
    let (slot, runtime) = (source.slot(SCOPE), Handle::new());
    let impatient = slot.clone();
    let (impatient, cancel): (_, AbortHandle) = abortable(async move { impatient.authorization().await });
    let impatient = runtime.spawn(impatient);
    let asked: Vec<_> = (0..2).map(|_| ask(&runtime, &slot)).collect();
    cancel.abort();
    assert!(asked.into_iter().all(|asked| outcome(asked).is_ok()));
    let _ = block_on(impatient);
    assert_eq!(credential.calls(), 1);
}

fn dropped() {
    let (credential, source) = Credential::new(Mood::Gives);
    let (slot, doomed, runtime) = (source.slot(SCOPE), Handle::new(), Handle::new());
    let lost: Vec<_> = (0..2).map(|_| ask(&doomed, &slot)).collect();
    let asked: Vec<_> = (0..2).map(|_| ask(&runtime, &slot)).collect();
    doomed.shut_down();
    assert!(asked.into_iter().all(|asked| outcome(asked).is_ok()));
    for lost in block_on(join_all(lost)) {
        if let Ok(Err(error)) = lost.expect("no panic") {
            assert_eq!(error.kind, ErrorKind::NoRuntime);
        }
    }
    assert!(credential.calls() <= 2);
}

fn due() {
    let (credential, slot, runtime, value) = warm();
    credential.clock.forward(UNTIL_DUE);
    credential.set_mood(Mood::Any);
    let asked: Vec<_> = (0..3).map(|_| ask(&runtime, &slot)).collect();
    for asked in asked {
        let served = outcome(asked).expect("a valid token is held");
        assert!(served == value || credential.calls() == 2);
    }
    assert!(credential.calls() <= 2);
}

/// Tasks that saw the same refusal ask for another value, while others go on asking for any.
fn refuse(
    credential: &Credential,
    slot: &Arc<Slot>,
    runtime: &Handle,
    refused: HeaderValue,
) -> Vec<Option<HeaderValue>> {
    let replaced = Arc::new(AtomicBool::new(false));
    let renewals: Vec<_> = (0..2)
        .map(|_| {
            let (slot, refused, replaced) = (slot.clone(), refused.clone(), replaced.clone());
            runtime.spawn(async move {
                let other = slot.refresh_rejected(&refused).await.expect("a valid token is held");
                if let Some(other) = &other {
                    assert_ne!(*other, refused);
                    replaced.store(true, Ordering::SeqCst);
                }
                other
            })
        })
        .collect();
    let others: Vec<_> = (0..2)
        .map(|_| {
            let (slot, refused, replaced) = (slot.clone(), refused.clone(), replaced.clone());
            runtime.spawn(async move {
                let was_replaced = replaced.load(Ordering::SeqCst);
                let served = slot.authorization().await.expect("a valid token is held");
                assert!(!was_replaced || served != refused, "a refused value was served");
            })
        })
        .collect();
    let renewed: Vec<_> = renewals
        .into_iter()
        .map(|renewal| block_on(renewal).expect("no panic").expect("its runtime goes on"))
        .collect();
    for other in others {
        block_on(other).expect("no panic").expect("its runtime goes on");
    }
    // One call for both, and one more if a refresh was under way and brought nothing.
    assert!(credential.calls() <= 3);
    renewed
}

fn refused() {
    let (credential, slot, runtime, value) = warm();
    let gives = thread_rng().r#gen();
    credential.set_mood(if gives { Mood::Gives } else { Mood::Fails });
    let renewed = refuse(&credential, &slot, &runtime, value);
    assert_eq!(renewed[0], renewed[1]);
    assert_eq!(renewed[0].is_some(), gives);
    assert_eq!(credential.calls(), 2);
}

fn refused_when_due() {
    let (credential, slot, runtime, value) = warm();
    credential.clock.forward(UNTIL_DUE);
    credential.set_mood(Mood::Any);
    refuse(&credential, &slot, &runtime, value);
}

fn ended() {
    let (credential, slot, runtime, value) = warm();
    let asked: Vec<_> = (0..2).map(|_| ask(&runtime, &slot)).collect();
    credential.clock.forward(UNTIL_ENDED);
    let later: Vec<_> = (0..2).map(|_| ask(&runtime, &slot)).collect();
    assert!(asked.into_iter().all(|asked| outcome(asked).is_ok()));
    assert!(later.into_iter().all(|later| outcome(later).expect("a token") != value));
    assert_eq!(credential.calls(), 2);
}

fn many_scopes() {
    let (credential, source) = Credential::new(Mood::Any);
    let (runtime, doomed) = (Handle::new(), Handle::new());
    let slots: Vec<_> = (0..4).map(|number| source.slot(&format!("{number}"))).collect();
    let lost = ask(&doomed, &slots[0]);
    let asked: Vec<_> = slots.iter().map(|slot| ask(&runtime, slot)).collect();
    doomed.shut_down();
    for asked in asked {
        if let Err(error) = outcome(asked) {
            assert_eq!(error.kind, ErrorKind::Credential);
        }
    }
    let _ = block_on(lost);
    assert!(credential.calls() <= 5);
}
