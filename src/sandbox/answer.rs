//! The shapes in which BigCommerce answers: data, lists, batches and errors.
//!
//! Every answer but 204 carries JSON and its exact `Content-Length`.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::MAX_PER_CUSTOMER;

/// One answer of the store.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The fields, `Content-Length` among them unless the status is 204.
    pub headers: HeaderMap,
    /// The body; empty on 204 and in answer to `HEAD`.
    pub body: Bytes,
}

impl Answer {
    /// 200 with one metafield.
    pub(super) fn one(metafield: &Map<String, Value>) -> Self {
        Self::json(StatusCode::OK, &json!({"data": metafield, "meta": {}}))
    }

    /// 200 with a page of metafields.
    pub(super) fn list(data: &[Value], meta: &Value) -> Self {
        Self::json(StatusCode::OK, &json!({"data": data, "meta": meta}))
    }

    /// 200, or 422 if an item failed: what succeeded stays done either way.
    pub(super) fn batch(data: &[Value], failed: &Map<String, Value>) -> Self {
        let meta = json!({
            "total": data.len() + failed.len(),
            "success": data.len(),
            "failed": failed.len(),
        });
        if failed.is_empty() {
            let body = json!({"data": data, "errors": [], "meta": meta});
            return Self::json(StatusCode::OK, &body);
        }
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let error = json!({
            "status": status.as_u16(),
            "title": "Bulk operation has failed",
            "type": STATUS_CODES,
            "errors": failed,
        });
        Self::json(
            status,
            &json!({"data": data, "errors": [error], "meta": meta}),
        )
    }

    /// 204 without a body.
    pub(super) fn empty() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// The answer to `HEAD`: everything but the body.
    pub(super) fn without_body(self) -> Self {
        Self {
            body: Bytes::new(),
            ..self
        }
    }

    fn json(status: StatusCode, value: &Value) -> Self {
        let body = Bytes::from(value.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Self {
            status,
            headers,
            body,
        }
    }
}

/// Why the store does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The body is no JSON, or not the shape of value the operation takes.
    Syntax,
    /// No `X-Auth-Token`.
    NoToken,
    /// Another `X-Auth-Token`, or more than one.
    WrongToken,
    /// No such store, route, customer or metafield.
    NotFound,
    /// The route has other methods: these.
    Method(&'static str),
    /// Another metafield of the customer has this namespace and key.
    Clash,
    /// The body is longer than the store reads.
    TooLarge,
    /// The body is not labelled as JSON.
    MediaType,
    /// Fields or query keys with the reason why each is no good.
    Invalid(Vec<(&'static str, String)>),
    /// The customer, or the store, has as many metafields as it can hold.
    Full,
    /// The quota is used up.
    Spent,
}

impl Refusal {
    /// A refusal for the sake of one field or query key.
    pub(super) fn invalid(field: &'static str, reason: &str) -> Self {
        Self::Invalid(vec![(field, reason.to_owned())])
    }

    /// The reason in one line, as it stands beside an item of a batch.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::NotFound => "Metafield does not exist".to_owned(),
            Self::Invalid(fields) => {
                let each: Vec<_> = fields
                    .iter()
                    .map(|(f, why)| format!("{f}: {why}"))
                    .collect();
                each.join("; ")
            }
            other => other.status_and_title().1.to_owned(),
        }
    }

    fn status_and_title(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Syntax => (StatusCode::BAD_REQUEST, "Input is invalid"),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "X-Auth-Token header is required"),
            Self::WrongToken => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "The resource at that URL is not found.",
            ),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::Clash => (
                StatusCode::CONFLICT,
                "Metafield with this namespace and key already exists",
            ),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Payload too large"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
            Self::Invalid(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The request body or query is not valid",
            ),
            Self::Full => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "No room for another metafield",
            ),
            Self::Spent => (
                StatusCode::TOO_MANY_REQUESTS,
                "You have exceeded your request limit",
            ),
        }
    }

    fn errors(&self) -> Option<Value> {
        match self {
            Self::Invalid(fields) => Some(fields.iter().map(|(f, why)| (*f, &**why)).collect()),
            Self::Full => Some(json!({
                "resource_id": format!("a customer holds at most {MAX_PER_CUSTOMER} metafields"),
            })),
            Self::Clash => Some(json!({"key": "is taken within the namespace"})),
            _ => None,
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let (status, title) = refusal.status_and_title();
        let mut body = json!({"status": status.as_u16(), "title": title, "type": STATUS_CODES});
        if let Some(object) = body.as_object_mut() {
            if refusal == Refusal::Syntax {
                object.insert("detail".to_owned(), json!("Syntax error"));
            }
            if let Some(errors) = refusal.errors() {
                object.insert("errors".to_owned(), errors);
            }
        }
        let mut answer = Self::json(status, &body);
        if let Refusal::Method(allowed) = refusal {
            answer
                .headers
                .insert(ALLOW, HeaderValue::from_static(allowed));
        }
        answer
    }
}

/// The page every error of the v3 API points to.
const STATUS_CODES: &str =
    "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes";
