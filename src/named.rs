//! The macro `named_values`: one text form for an enum in `as_str`, `Display`, `FromStr` and serde.

/// Implements `as_str`, `Display` and `FromStr` for an enum, and `Serialize` and `Deserialize` with the feature `serde`.
///
/// The error of `FromStr` does not contain the text, because it may be a secret that was pasted by mistake.
macro_rules! named_values {
    ($type:ident: $what:literal, $kind:expr, $($variant:ident => $name:literal),+ $(,)?) => {
        impl $type {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name that [`Display`](std::fmt::Display), [`FromStr`](std::str::FromStr) and serde use.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = crate::Error;

            fn from_str(name: &str) -> crate::Result<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|value| format!("`{value}`")).collect();
                    let message = format!(concat!("unknown ", $what, ": write {}"), names.join(" or "));
                    crate::Error::new($kind, message)
                })
            }
        }

        #[cfg(feature = "serde")]
        #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use named_values;
