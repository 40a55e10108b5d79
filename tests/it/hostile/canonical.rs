//! The one form in which a request may reach the upstream, written here from the contract and from
//! nothing that the gateway computed but the request's id.

use crate::support::gateway::CREDENTIAL;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// A request as the upstream must see it.
#[derive(Debug, Clone)]
pub struct Sent {
    pub method: String,
    pub target: String,
    pub body: Option<String>,
    pub accept: Option<String>,
    pub accept_encoding: Option<String>,
    pub user_agent: String,
}

impl Sent {
    pub fn new(method: &str, target: &str, body: Option<&str>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            body: body.map(str::to_owned),
            accept: None,
            accept_encoding: None,
            user_agent: "metafield-gateway".to_owned(),
        }
    }

    /// Every byte of it, for the upstream at this address and with this id.
    pub fn bytes(&self, upstream: SocketAddr, id: &str) -> Vec<u8> {
        let mut head = String::new();
        let mut line = |line: &str| write!(head, "{line}\r\n").expect("a string");
        line(&format!("{} {} HTTP/1.1", self.method, self.target));
        line(&format!("user-agent: {}", self.user_agent));
        if let Some(accept) = &self.accept {
            line(&format!("accept: {accept}"));
        }
        if let Some(encoding) = &self.accept_encoding {
            line(&format!("accept-encoding: {encoding}"));
        }
        if let Some(body) = &self.body {
            line("content-type: application/json");
            line(&format!("content-length: {}", body.len()));
        }
        line(&format!("x-correlation-id: {id}"));
        line("via: 1.1 metafield-gateway");
        line(&format!("host: {upstream}"));
        line(&format!("x-auth-token: {CREDENTIAL}"));
        line("");
        head.push_str(self.body.as_deref().unwrap_or_default());
        head.into_bytes()
    }
}
