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
    peer::{Peer, bearer, text},
    world::World,
};

/// The lazy cache that every AWS client has by default.
#[derive(Clone)]
pub struct Aws {
    cache: SharedIdentityCache,
    resolver: SharedIdentityResolver,
    components: Arc<RuntimeComponents>,
    config: Arc<ConfigBag>,
}

impl Peer for Aws {
    const NAME: &str = "aws-smithy-runtime";
    const LIFE_OF_A_DUE_TOKEN: Duration = Duration::from_secs(5);
    const TIME_UNTIL_DUE: Duration = Duration::ZERO;
    type Request = ();
    type Authorized = HeaderValue;

    fn new(world: &Arc<World>) -> Self {
        let components = RuntimeComponentsBuilder::for_tests()
            .with_time_source(Some(SystemTimeSource::new()))
            .with_sleep_impl(Some(TokioSleep::new()))
            .build()
            .expect("all components");
        Self {
            cache: IdentityCache::lazy().build(),
            resolver: SharedIdentityResolver::new(Issuer(world.clone())),
            components: Arc::new(components),
            config: Arc::new(ConfigBag::base()),
        }
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderValue, String> {
        let resolved =
            self.cache.resolve_cached_identity(self.resolver.clone(), &self.components, &self.config);
        let identity = resolved.await.map_err(text)?;
        bearer(identity.data::<Token>().expect("what the issuer gave").token())
    }
}

#[derive(Debug)]
struct Issuer(Arc<World>);

impl ResolveIdentity for Issuer {
    fn resolve_identity<'a>(&'a self, _: &'a RuntimeComponents, _: &'a ConfigBag) -> IdentityFuture<'a> {
        IdentityFuture::new(async {
            let token = self.0.issue().await.ok_or_else(|| BoxError::from("no answer"))?;
            Ok(Identity::new(Token::new(token.text, Some(token.ends)), Some(token.ends)))
        })
    }
}
