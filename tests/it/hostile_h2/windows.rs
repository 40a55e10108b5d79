//! Windows that are opened by the byte, or not at all (CVE-2019-9511, 9517): an answer that is not taken
//! is cut after `limits.write_timeout`, and holds up nobody else.

use super::{codes, get, measured, still_serves};
use crate::limits::bare_closes;
use crate::support::PATIENCE;
use crate::support::fake::{Fake, OK};
use crate::support::frames::{DATA, Wire, window};
use crate::support::gateway::Gateway;
use std::net::{SocketAddr, TcpStream};

/// A connection that takes few bytes ahead.
pub fn narrow(address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        None,
    )
    .expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a size");
    socket
        .connect_timeout(&address.into(), PATIENCE)
        .expect("the gateway listens");
    socket.into()
}

#[test]
fn an_answer_goes_out_by_the_byte() {
    let upstream = Fake::good();
    let gateway = Gateway::before(upstream.address);
    let mut wire = Wire::connect_with(gateway.address(), &[(4, 1)]);
    wire.send(get(1));
    let size = OK.split_once("\r\n\r\n").expect("a body").1.len();
    for count in 1..size {
        loop {
            let frame = wire.frame().expect("a frame");
            if frame.kind == DATA {
                assert_eq!(frame.payload.len(), 1, "{count}");
                break;
            }
        }
        wire.send(window(1, 1));
    }
    still_serves(gateway.address());
    drop(wire);
    assert_eq!(codes(&gateway.stop()), ["-", "-"]);
}

#[test]
fn streams_without_a_window_are_cut_together() {
    const STREAMS: usize = 64;
    let upstream = Fake::good();
    let gateway = measured(&upstream, "limits.write_timeout = \"300ms\"");
    let mut wire = Wire::connect_with(gateway.address(), &[(4, 0)]);
    let streams = (0..STREAMS).map(|count| get(2 * u32::try_from(count).expect("few") + 1));
    wire.send(streams.collect::<Vec<_>>().concat());
    upstream.wait_for(STREAMS);
    still_serves(gateway.address());
    gateway.wait_for_metric(&bare_closes("write_timeout"), 1.0);
    assert_eq!(wire.events(1).pop().as_deref(), Some("closed"));
    drop(wire);
    assert_eq!(codes(&gateway.stop()).len(), STREAMS + 1);
}

#[test]
fn a_window_that_is_not_read_from_is_cut() {
    let body = "#".repeat(512 * 1024);
    let upstream = Fake::doing(move |connection| {
        while let Some(request) = connection.request()? {
            if request.start.contains("include_fields") {
                connection.send(format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ))?;
            } else {
                connection.send(OK)?;
            }
        }
        Ok(())
    });
    let gateway = measured(&upstream, "limits.write_timeout = \"300ms\"");
    let mut deaf = Wire::over(narrow(gateway.address()));
    deaf.agree(&[(4, i32::MAX.cast_unsigned())]);
    deaf.send(window(0, i32::MAX.cast_unsigned() - 65_535));
    for count in 0..16 {
        deaf.send(list(2 * count + 1));
    }
    upstream.wait_for(16);
    still_serves(gateway.address());
    gateway.wait_for_metric(&bare_closes("write_timeout"), 1.0);
    drop(deaf);
    assert_eq!(codes(&gateway.stop()).len(), 17);
}

/// A request whose answer is long.
fn list(stream: u32) -> Vec<u8> {
    let path = format!("{}?include_fields=id", crate::support::client::CUSTOMER);
    let mut fields = super::ordinary("GET");
    fields[3].1 = &path;
    super::headers(stream, super::END_STREAM, &super::block(&fields))
}
