use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use super::ParseNameError;
use crate::{Cloud, DicomVersion, ErrorKind, ServiceKind};

macro_rules! for_each_enum {
    ($check:ident) => {
        $check(Cloud::ALL, Cloud::as_str);
        $check(DicomVersion::ALL, DicomVersion::as_str);
        $check(ErrorKind::ALL, ErrorKind::as_str);
        $check(ServiceKind::ALL, ServiceKind::as_str);
        #[cfg(feature = "client")]
        $check(crate::DenialCause::ALL, crate::DenialCause::as_str);
    };
}

fn check<T>(values: &[T], as_str: fn(T) -> &'static str)
where
    T: Copy + Debug + Display + FromStr<Err = ParseNameError> + PartialEq,
{
    for &value in values {
        let name = as_str(value);
        assert_eq!((value.to_string().as_str(), name.parse()), (name, Ok(value)));
        for other in ["", "canary", &name.to_uppercase(), &format!("{name} ")] {
            let message = other.parse::<T>().unwrap_err().to_string();
            assert!(message.contains(&format!("`{name}`")) && !message.contains("canary"), "{message}");
        }
    }
}

#[test]
fn enum_display_and_from_str_use_the_names_of_as_str() {
    for_each_enum!(check);
}

#[cfg(feature = "serde")]
#[test]
fn enum_serde_uses_the_names_of_as_str() {
    fn check<T>(values: &[T], as_str: fn(T) -> &'static str)
    where
        T: Copy + Debug + PartialEq + serde::Serialize + serde::de::DeserializeOwned,
    {
        for &value in values {
            let json = serde_json::json!(as_str(value));
            assert_eq!(serde_json::to_value(value).unwrap(), json);
            assert_eq!(serde_json::from_value::<T>(json).unwrap(), value);
        }
    }
    for_each_enum!(check);
}
