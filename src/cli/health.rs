//! `health`: asks a running gateway how it is, for probes where there is no shell and no other client.

use super::load::{self, Reported};
use super::{FAILED, MISUSED, complain, heard};
use crate::config::file::Address;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most bytes that are read of what it says.
const LONGEST: usize = 64 * 1024;

pub(super) fn health(config: &Path, is_ready: bool) -> io::Result<u8> {
    let file = match load::file(config)? {
        Ok(file) => file,
        Err(Reported(code)) => return Ok(code),
    };
    let Some(admin) = &file.admin else {
        let error = io::Error::other("the configuration has no `[admin]`, so nobody can be asked");
        complain(
            &error,
            Some(&"write `address = \"127.0.0.1:9090\"` below it"),
        )?;
        return Ok(MISUSED);
    };
    let path = if is_ready { "/readyz" } else { "/livez" };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asked = ask(&admin.address.value, path);
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await });
    let answer = answer.unwrap_or_else(|_| {
        let seconds = PATIENCE.as_secs();
        Err(io::Error::other(format!("no answer within {seconds} s")))
    });
    match answer {
        Ok((StatusCode::OK, text)) => {
            heard(io::stdout().lock().write_all(&text))?;
            Ok(0)
        }
        Ok((status, text)) => {
            let mut said = format!("error: {path} answers {}\n", status.as_u16()).into_bytes();
            said.extend(text);
            heard(io::stderr().lock().write_all(&said))?;
            Ok(FAILED)
        }
        Err(error) => {
            let address = &admin.address.value;
            let error = io::Error::other(format!("{address}: {error}"));
            complain(
                &error,
                Some(&"is the gateway running, with this configuration?"),
            )?;
            Ok(FAILED)
        }
    }
}

async fn ask(address: &Address, path: &str) -> io::Result<(StatusCode, Vec<u8>)> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(reachable(*address)).await?;
            exchange(stream, path).await
        }
        Address::Unix(socket) => exchange(UnixStream::connect(socket).await?, path).await,
    }
}

/// Who listens everywhere is asked on the loopback interface.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    path: &str,
) -> io::Result<(StatusCode, Vec<u8>)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let request = Request::get(path)
        .header(HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let answer = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST);
        let body = body.collect().await.map_err(io::Error::other)?;
        Ok((status, body.to_bytes().to_vec()))
    };
    tokio::pin!(connection);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // What had come before it ended can still be read.
        _ended = &mut connection => answer.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_listens_everywhere_is_asked_here() {
        for (address, asked) in [
            ("0.0.0.0:9090", "127.0.0.1:9090"),
            ("[::]:9090", "[::1]:9090"),
            ("10.1.2.3:9090", "10.1.2.3:9090"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(reachable(address).to_string(), asked);
        }
    }
}
