//! A blocking HTTP/2 client that can leave a request half sent, and that sees which frames come.

use super::PATIENCE;
use super::client::Request;
use super::http1::Message;
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use rustls::ClientConfig;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// The type of a GOAWAY frame.
pub const GOAWAY: u8 = 7;

/// A connection to the gateway.
pub struct Client {
    runtime: Background,
    sender: SendRequest<Bytes>,
    frames: UnboundedReceiver<u8>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A runtime on a thread of its own, so that the connection lives while the test does other things.
struct Background {
    handle: Handle,
    until: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A request that has begun.
pub struct Begun {
    answer: ResponseFuture,
    body: SendStream<Bytes>,
    /// Kept, since dropping it would give the stream up.
    unread: Option<http::Response<RecvStream>>,
}

impl Client {
    /// Connects without TLS, in the knowledge that the gateway speaks HTTP/2.
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_narrow(address, 65_535)
    }

    /// The same with another window for each stream.
    pub fn connect_narrow(address: SocketAddr, window: u32) -> Self {
        let runtime = Background::start();
        let stream = runtime
            .handle
            .block_on(TcpStream::connect(address))
            .expect("the gateway listens");
        Self::over(runtime, stream, window)
    }

    /// Connects over TLS; ALPN must agree on HTTP/2.
    pub fn connect_tls(address: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        let runtime = Background::start();
        let stream = runtime.handle.block_on(async {
            let tcp = TcpStream::connect(address).await.expect("it listens");
            let connector = TlsConnector::from(tls);
            connector.connect(super::tls::name(), tcp).await
        });
        let stream = stream.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        Self::over(runtime, stream, 65_535)
    }

    fn over(
        runtime: Background,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        window: u32,
    ) -> Self {
        let (kinds, frames) = unbounded_channel();
        let tap = Tap {
            stream,
            header: Vec::new(),
            payload: 0,
            kinds,
        };
        let handshake = h2::client::Builder::new()
            .initial_window_size(window)
            .handshake(tap);
        let (sender, connection) = runtime.handle.block_on(handshake).expect("a handshake");
        let connection = runtime.handle.spawn(connection);
        Self {
            runtime,
            sender,
            frames,
            connection,
        }
    }

    /// Sends a head, and nothing after it if it is the whole request.
    pub fn begin(&mut self, request: &Request, whole: bool) -> Begun {
        let request = convert(request);
        let sender = &mut self.sender;
        let (answer, body) = self.runtime.handle.block_on(async {
            std::future::poll_fn(|cx| sender.poll_ready(cx))
                .await
                .expect("room for a stream");
            sender.send_request(request, whole).expect("a request")
        });
        Begun {
            answer,
            body,
            unread: None,
        }
    }

    /// Sends a whole request and does not wait for its answer.
    pub fn start(&mut self, request: &Request) -> Begun {
        let body = request.body.clone().unwrap_or_default();
        let mut begun = self.begin(request, body.is_empty());
        if !body.is_empty() {
            // A refusal may be quicker than the body, which then is not wanted: what came of it shows in the
            // answer.
            drop(begun.try_send(body, true));
        }
        begun
    }

    /// Reads an answer.
    pub fn answer(&mut self, begun: Begun) -> Message {
        let answer = self.try_answer(begun);
        answer.unwrap_or_else(|error| panic!("an answer was expected: {error}"))
    }

    /// Reads an answer; an error if the stream or the connection ends without one.
    pub fn try_answer(&mut self, begun: Begun) -> Result<Message, h2::Error> {
        self.patiently(async move {
            let Begun { answer, body, .. } = begun;
            let message = read(answer.await?).await;
            // The request's sending half lives until here, so that it is not reset.
            drop(body);
            message
        })
    }

    /// Waits for the head of an answer, and leaves its body where it is.
    pub fn until_head(&self, begun: &mut Begun) {
        let answer = self.patiently(async { (&mut begun.answer).await });
        begun.unread = Some(answer.expect("a head"));
    }

    /// Sends a request and reads its answer.
    pub fn exchange(&mut self, request: &Request) -> Message {
        let begun = self.start(request);
        self.answer(begun)
    }

    /// Waits until a frame of this type has come.
    pub fn until_frame(&mut self, kind: u8) {
        let Self {
            runtime, frames, ..
        } = self;
        let come = async { while frames.recv().await.expect("a frame before the end") != kind {} };
        runtime.handle.block_on(async {
            tokio::time::timeout(PATIENCE, come)
                .await
                .expect("the frame comes");
        });
    }

    /// Waits until the gateway has closed the connection.
    pub fn until_closed(self) {
        let Self {
            runtime,
            sender,
            connection,
            ..
        } = self;
        let ended = runtime
            .handle
            .block_on(async { tokio::time::timeout(PATIENCE, connection).await });
        drop(sender);
        drop(ended.expect("the gateway closes").expect("no panic"));
    }

    fn patiently<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime
            .handle
            .block_on(async { tokio::time::timeout(PATIENCE, work).await })
            .expect("it ends in time")
    }
}

impl Begun {
    /// Sends a piece of the body.
    pub fn send(&mut self, bytes: impl Into<Bytes>, last: bool) {
        self.try_send(bytes, last).expect("a body");
    }

    /// The same; an error if the gateway has answered and wants no body any more.
    pub fn try_send(&mut self, bytes: impl Into<Bytes>, last: bool) -> Result<(), h2::Error> {
        self.body.send_data(bytes.into(), last)
    }

    /// Ends the body by trailers instead of by data.
    pub fn end_with_trailers(&mut self) {
        self.try_end_with_trailers().expect("trailers");
    }

    /// The same; an error if the gateway has answered and wants no body any more.
    pub fn try_end_with_trailers(&mut self) -> Result<(), h2::Error> {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-trailer", http::HeaderValue::from_static("1"));
        self.body.send_trailers(trailers)
    }
}

impl Background {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let handle = runtime.handle().clone();
        let (until, stopped) = oneshot::channel();
        // An error means that the sender is gone, which is the sign.
        let thread = std::thread::spawn(move || drop(runtime.block_on(stopped)));
        Self {
            handle,
            until: Some(until),
            thread: Some(thread),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.until.take();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// `Host` becomes the authority, unless the request says `:authority` itself.
fn convert(request: &Request) -> http::Request<()> {
    let named = |name: &str| {
        let found = request.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let given = named(":authority");
    let authority = given.clone().or_else(|| named("Host")).expect("a host");
    let mut head = http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("http://{authority}{}", request.target))
        .version(http::Version::HTTP_2);
    for (name, value) in &request.fields {
        if name != ":authority" && (name != "Host" || given.is_some()) {
            head = head.header(name, value);
        }
    }
    head.body(()).expect("a request")
}

async fn read(answer: http::Response<RecvStream>) -> Result<Message, h2::Error> {
    let (head, mut incoming) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = incoming.data().await {
        let piece = match piece {
            // Behind a whole answer: the rest of the request is not wanted (RFC 9113 section 8.1).
            Err(error) if error.reason() == Some(h2::Reason::NO_ERROR) => break,
            piece => piece?,
        };
        incoming.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
    let fields = head.headers.iter();
    Ok(Message {
        start: format!("HTTP/2 {}", head.status.as_u16()),
        fields: fields
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body,
    })
}

/// A stream that tells the type of each frame that comes in.
struct Tap<S> {
    stream: S,
    header: Vec<u8>,
    payload: usize,
    kinds: UnboundedSender<u8>,
}

impl<S> Tap<S> {
    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.payload > 0 {
                self.payload -= 1;
                continue;
            }
            self.header.push(*byte);
            if let [a, b, c, kind, _, _, _, _, _] = *self.header {
                self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.header.clear();
                // Nobody may be waiting for frames.
                self.kinds.send(kind).ok();
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.note(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
