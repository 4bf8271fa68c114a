//! [`ParseNameError`] and the macro `named_values`: one name per value of an enum, in `as_str`, `Display`, `FromStr` and
//! serde.

#[cfg(test)]
mod tests;

/// The error returned when a text is not the name of a value.
///
/// The message lists the names. It does not contain the text, because that may be a secret that was pasted by mistake.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::Cloud;
///
/// let error = "China".parse::<Cloud>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown cloud: write `public` or `us-government`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("unknown {what}: write {}", list(.names))]
pub struct ParseNameError {
    pub(crate) what: &'static str,
    pub(crate) names: &'static [&'static str],
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}

/// Implements `as_str`, `Display` and `FromStr` for an enum, and `Serialize` and `Deserialize` with the feature `serde`.
macro_rules! named_values {
    ($type:ident: $what:literal, $($variant:ident => $name:literal),+ $(,)?) => {
        impl $type {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name that `Display`, `FromStr` and serde use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        /// Writes the name that `as_str` returns.
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        /// Parses the names that `as_str` returns.
        impl std::str::FromStr for $type {
            type Err = crate::named::ParseNameError;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == name)
                    .ok_or(crate::named::ParseNameError { what: $what, names: &[$($name),+] })
            }
        }

        /// Serializes the name that `as_str` returns.
        #[cfg(feature = "serde")]
        #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        /// Deserializes the names that `as_str` returns.
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
