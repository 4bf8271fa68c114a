use std::{sync::Arc, time::Duration};

use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        identity::{
            Identity, IdentityFuture, ResolveCachedIdentity, ResolveIdentity, SharedIdentityCache,
            SharedIdentityResolver, http::Token,
        },
        runtime_components::{RuntimeComponents, RuntimeComponentsBuilder},
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use http::HeaderValue;

use crate::{
    issuer::Issuer,
    peer::{Peer, bearer, to_string},
};

/// The lazy cache that AWS clients use by default.
#[derive(Clone)]
pub struct Aws {
    cache: SharedIdentityCache,
    resolver: SharedIdentityResolver,
    components: Arc<RuntimeComponents>,
    config: Arc<ConfigBag>,
}

impl Peer for Aws {
    const NAME: &str = "aws-smithy-runtime";
    const LIFETIME_OF_DUE_TOKEN: Duration = Duration::from_secs(5);
    const TIME_UNTIL_DUE: Duration = Duration::ZERO;
    type Request = ();
    type Authorized = HeaderValue;

    fn new(issuer: &Arc<Issuer>) -> Self {
        let components = RuntimeComponentsBuilder::for_tests()
            .with_time_source(Some(SystemTimeSource::new()))
            .with_sleep_impl(Some(TokioSleep::new()))
            .build()
            .expect("the required components are set");
        Self {
            cache: IdentityCache::lazy().build(),
            resolver: SharedIdentityResolver::new(Resolver(issuer.clone())),
            components: Arc::new(components),
            config: Arc::new(ConfigBag::base()),
        }
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderValue, String> {
        let resolved =
            self.cache.resolve_cached_identity(self.resolver.clone(), &self.components, &self.config);
        let identity = resolved.await.map_err(to_string)?;
        bearer(identity.data::<Token>().expect("the identity has a token").token())
    }
}

#[derive(Debug)]
struct Resolver(Arc<Issuer>);

impl ResolveIdentity for Resolver {
    fn resolve_identity<'a>(&'a self, _: &'a RuntimeComponents, _: &'a ConfigBag) -> IdentityFuture<'a> {
        IdentityFuture::new(async {
            let token = self.0.issue().await.ok_or_else(|| BoxError::from("no response"))?;
            Ok(Identity::new(Token::new(token.text, Some(token.expires_on)), Some(token.expires_on)))
        })
    }
}
