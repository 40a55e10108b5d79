//! The connection to the shared server: made when it is needed, and made anew when it has failed.

use crate::config::SharedServer;
use crate::quota::{Answer, Question, SCRIPT, keys};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClientBuilder, TlsMode};
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, Script, TlsCertificates,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How long one attempt to connect may take: the name, TCP, TLS and being let in. A question does not wait for it.
const CONNECT: Duration = Duration::from_secs(3);

/// How long one answer may take.
const LIMIT: Duration = Duration::from_millis(250);

/// How often the connections to a cluster may fail before they are all made anew: they look for themselves where
/// a slot has gone, and know more nodes than the configuration.
const FAILURES: u32 = 20;

/// The way to the shared server.
pub(super) struct Link {
    server: Arc<SharedServer>,
    script: Script,
    state: Rc<RefCell<State>>,
    failures: Cell<u32>,
}

/// What there is of a connection.
#[derive(Default)]
enum State {
    #[default]
    None,
    /// One is made; whoever waits is woken when that has ended.
    Connecting(Rc<Notify>),
    Made(Connection),
    /// Why none could be made.
    Failed(String),
}

#[derive(Clone)]
enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    pub(super) fn new(server: &Arc<SharedServer>) -> Self {
        Self {
            server: Arc::clone(server),
            script: Script::new(SCRIPT),
            state: Rc::default(),
            failures: Cell::new(0),
        }
    }

    /// Asks one question.
    pub(super) async fn ask(&self, store: &str, question: &Question) -> Result<Answer, String> {
        let connection = self.connection().await?;
        let answer = self.try_to_ask(connection, store, question).await;
        match &answer {
            Ok(_) => self.failures.set(0),
            Err(_) => self.failed(),
        }
        answer
    }

    /// The connection is no longer to be relied on.
    pub(super) fn failed(&self) {
        if !matches!(&*self.state.borrow(), State::Made(_)) {
            // It is being made.
            return;
        }
        let failures = self.failures.get() + 1;
        if self.server.cluster && failures < FAILURES {
            self.failures.set(failures);
            return;
        }
        self.failures.set(0);
        self.state.replace(State::None);
    }

    /// The connection; where there is none, one is made, and goes on to be made if nobody waits for it any longer.
    async fn connection(&self) -> Result<Connection, String> {
        let connecting = match &*self.state.borrow() {
            State::Made(connection) => return Ok(connection.clone()),
            State::Connecting(made) => Some(Rc::clone(made)),
            State::None | State::Failed(_) => None,
        };
        let connecting = connecting.unwrap_or_else(|| self.connect());
        connecting.notified().await;
        match &*self.state.borrow() {
            State::Made(connection) => Ok(connection.clone()),
            State::Failed(cause) => Err(cause.clone()),
            State::None | State::Connecting(_) => Err("it could not be connected to".to_owned()),
        }
    }

    fn connect(&self) -> Rc<Notify> {
        let made = Rc::new(Notify::new());
        self.state.replace(State::Connecting(Rc::clone(&made)));
        let (server, state) = (Arc::clone(&self.server), Rc::clone(&self.state));
        let ended = Rc::clone(&made);
        let connecting = async move {
            let cause = match tokio::time::timeout(CONNECT, connect(&server)).await {
                Ok(Ok(connection)) => {
                    state.replace(State::Made(connection));
                    None
                }
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("not within {} s", CONNECT.as_secs())),
            };
            if let Some(cause) = cause {
                let cause = format!("cannot connect to {}: {cause}", server.url.show());
                state.replace(State::Failed(cause));
            }
            ended.notify_waiters();
        };
        // It ends by itself.
        drop(tokio::task::spawn_local(connecting));
        made
    }

    async fn try_to_ask(
        &self,
        connection: Connection,
        store: &str,
        question: &Question,
    ) -> Result<Answer, String> {
        let mut invocation = self.script.prepare_invoke();
        for key in keys(&self.server.prefix, store) {
            invocation.key(key);
        }
        for argument in question.arguments() {
            invocation.arg(argument);
        }
        let (numbers, callers): (Vec<i64>, Vec<String>) = match connection {
            Connection::One(mut one) => invoke(&invocation, &mut one).await,
            Connection::Cluster(mut cluster) => invoke(&invocation, &mut cluster).await,
        }
        .map_err(|error| format!("{}: {error}", self.server.url.show()))?;
        let answer = Answer::read(&numbers, &callers);
        answer.map_err(|error| format!("{}: {error}", self.server.url.show()))
    }
}

async fn invoke<C: ConnectionLike>(
    invocation: &redis::ScriptInvocation<'_>,
    connection: &mut C,
) -> Result<(Vec<i64>, Vec<String>), RedisError> {
    invocation.invoke_async(connection).await
}

async fn connect(server: &SharedServer) -> Result<Connection, RedisError> {
    if server.cluster {
        return connect_to_cluster(server).await.map(Connection::Cluster);
    }
    let info = info(server)?;
    let client = if server.url.tls {
        Client::build_with_tls(info, certificates(server))?
    } else {
        Client::open(info)?
    };
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(LIMIT));
    let made = client
        .get_multiplexed_async_connection_with_config(&settings)
        .await;
    made.map(Connection::One)
}

async fn connect_to_cluster(server: &SharedServer) -> Result<ClusterConnection, RedisError> {
    let mut builder = ClusterClientBuilder::new([info(server)?])
        .connection_timeout(CONNECT)
        .response_timeout(LIMIT)
        .retries(1);
    if server.url.tls {
        builder = builder.tls(TlsMode::Secure).certs(certificates(server));
    }
    if let Some(username) = &server.username {
        builder = builder.username(username);
    }
    if let Some(password) = password(server) {
        builder = builder.password(password);
    }
    builder.build()?.get_async_connection().await
}

fn info(server: &SharedServer) -> Result<ConnectionInfo, RedisError> {
    let (host, port) = (server.url.host.clone(), server.url.port);
    let address = if server.url.tls {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    let mut settings = RedisConnectionInfo::default().set_db(server.url.database.into());
    if let Some(username) = &server.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = password(server) {
        settings = settings.set_password(password);
    }
    Ok(address.into_connection_info()?.set_redis_settings(settings))
}

/// It is visible ASCII.
fn password(server: &SharedServer) -> Option<&str> {
    std::str::from_utf8(server.password.as_ref()?).ok()
}

/// The authorities in the form in which they are taken.
fn certificates(server: &SharedServer) -> TlsCertificates {
    let pem = server.roots.as_ref().map(|roots| {
        let mut pem = String::new();
        for root in roots {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            STANDARD.encode_string(root, &mut pem);
            pem.push_str("\n-----END CERTIFICATE-----\n");
        }
        pem.into_bytes()
    });
    TlsCertificates {
        client_tls: None,
        root_cert: pem,
    }
}
