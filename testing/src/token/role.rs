//! [`allows`]: the permissions of Azure's built-in roles.

use http::Method;

use crate::service::FakeService;

/// What a request needs permission for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permission {
    /// Read, search and history.
    Read,
    /// Create, update, patch and soft delete.
    Write,
    HardDelete,
    Export,
    Import,
    ConvertData,
    BulkOperation,
    /// A FHIR `batch` or `transaction`, whose entries are checked one by one.
    Bundle,
}

/// Returns `true` if one of the roles allows the request to `service`.
///
/// `target` is the path with the query. The permissions are those of the built-in roles (Azure documentation
/// `authentication-authorization.md`, `fhir-server roles.json`).
pub(crate) fn allows(roles: &[String], service: FakeService, method: &Method, target: &str) -> bool {
    let permission = match service {
        FakeService::Fhir => fhir_permission(method, target),
        FakeService::Dicom | FakeService::Storage => permission(method),
    };
    roles.iter().any(|role| role_allows(role, service, permission))
}

fn role_allows(role: &str, service: FakeService, permission: Permission) -> bool {
    use Permission::{BulkOperation, Bundle, ConvertData, Export, HardDelete, Import, Read, Write};
    match (service, role) {
        (FakeService::Fhir, "FHIR Data Reader") => matches!(permission, Read | Bundle),
        (FakeService::Fhir, "FHIR Data Writer") => matches!(permission, Read | Write | Bundle),
        (FakeService::Fhir, "FHIR Data Contributor") => {
            matches!(
                permission,
                Read | Write | HardDelete | Export | Import | ConvertData | BulkOperation | Bundle
            )
        }
        (FakeService::Fhir, "FHIR Data Exporter") => matches!(permission, Read | Export | Bundle),
        (FakeService::Fhir, "FHIR Data Importer") => matches!(permission, Read | Import | Bundle),
        (FakeService::Fhir, "FHIR Data Converter") => permission == ConvertData,
        (FakeService::Fhir, "FHIR Data Bulk Operator") => permission == BulkOperation,
        (FakeService::Dicom, "DICOM Data Reader") => permission == Read,
        (FakeService::Dicom, "DICOM Data Owner") => true,
        (FakeService::Storage, "Storage Blob Data Reader") => permission == Read,
        _ => false,
    }
}

fn fhir_permission(method: &Method, target: &str) -> Permission {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let job = path.strip_prefix("_operations/").and_then(|job| job.split('/').next());
    match (job, last) {
        (Some("export"), _) | (_, "$export") => Permission::Export,
        (Some("import"), _) | (_, "$import") => Permission::Import,
        (Some("bulk-delete" | "bulk-update"), _) | (_, "$bulk-delete" | "$bulk-update") => {
            Permission::BulkOperation
        }
        (_, "$convert-data") => Permission::ConvertData,
        (_, "") if method == Method::POST => Permission::Bundle,
        // A posted search sends its parameters in a form to keep them out of the URL.
        (_, "_search") if method == Method::POST => Permission::Read,
        // Deleting the history is a hard delete (`fhir-server DeleteResourceHandler.cs`).
        (_, "$purge-history") => Permission::HardDelete,
        _ if method == Method::DELETE && is_hard_delete(query) => Permission::HardDelete,
        _ => permission(method),
    }
}

/// Returns `true` if the query asks for the deletion of the history too (`fhir-server KnownQueryParameterNames.cs`).
fn is_hard_delete(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
        ["_hardDelete", "hardDelete"].iter().any(|known| name.eq_ignore_ascii_case(known))
            && value.eq_ignore_ascii_case("true")
    })
}

fn permission(method: &Method) -> Permission {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Permission::Read,
        _ => Permission::Write,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FHIR: [&str; 11] = [
        "GET /Patient",
        "POST /Patient/_search",
        "POST /",
        "POST /Patient",
        "DELETE /Patient/1",
        "DELETE /Patient/_search",
        "DELETE /Patient/1?hardDelete=true",
        "GET /Patient/$export",
        "POST /$import",
        "POST /$convert-data",
        "DELETE /Patient/$bulk-delete",
    ];

    fn allowed(role: &str, service: FakeService, lines: &[&str]) -> String {
        let allows = |line: &&str| {
            let (method, target) = line.split_once(' ').unwrap();
            allows(&[role.to_owned()], service, &method.parse().unwrap(), target)
        };
        lines.iter().map(|line| if allows(line) { 'y' } else { '-' }).collect()
    }

    #[test]
    fn fhir_roles_allow_what_azure_documents() {
        for (role, expected) in [
            ("FHIR Data Reader", "yyy--------"),
            ("FHIR Data Writer", "yyyyyy-----"),
            ("FHIR Data Contributor", "yyyyyyyyyyy"),
            ("FHIR Data Exporter", "yyy----y---"),
            ("FHIR Data Importer", "yyy-----y--"),
            ("FHIR Data Converter", "---------y-"),
            ("FHIR Data Bulk Operator", "----------y"),
            ("DICOM Data Owner", "-----------"),
            ("unknown", "-----------"),
        ] {
            assert_eq!(allowed(role, FakeService::Fhir, &FHIR), expected, "{role}");
        }
        let jobs = ["GET /_operations/export/1", "DELETE /_operations/export/1", "GET /_operations/import/1"];
        assert_eq!(allowed("FHIR Data Exporter", FakeService::Fhir, &jobs), "yy-");
        assert_eq!(allowed("FHIR Data Importer", FakeService::Fhir, &jobs), "--y");
        let deletes = [
            "DELETE /Patient/1?hardDelete=false",
            "DELETE /Patient/1?_hardDelete=TRUE",
            "DELETE /Patient/1/$purge-history",
        ];
        assert_eq!(allowed("FHIR Data Writer", FakeService::Fhir, &deletes), "y--");
        assert_eq!(allowed("FHIR Data Contributor", FakeService::Fhir, &deletes), "yyy");
    }

    #[test]
    fn dicom_and_storage_roles_apply_only_to_their_service() {
        let lines = ["GET /v2/changefeed", "POST /v2/studies", "DELETE /v2/studies/1"];
        for (role, service, expected) in [
            ("DICOM Data Reader", FakeService::Dicom, "y--"),
            ("DICOM Data Owner", FakeService::Dicom, "yyy"),
            ("FHIR Data Contributor", FakeService::Dicom, "---"),
            ("Storage Blob Data Reader", FakeService::Storage, "y--"),
            ("DICOM Data Owner", FakeService::Storage, "---"),
        ] {
            assert_eq!(allowed(role, service, &lines), expected, "{role}");
        }
    }
}
