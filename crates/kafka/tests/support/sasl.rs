//! A listener that speaks just enough Kafka to ask for a login by SASL/PLAIN, and hands on what follows a right one to
//! the mock cluster, which knows no SASL. Formats: <https://kafka.apache.org/protocol.html>.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

const API_VERSIONS: i16 = 18;
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;
const UNSUPPORTED_VERSION: i16 = 35;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// Starts it in front of `upstream`; returns its `host:port`. Only `password` is right.
pub(crate) async fn front(upstream: String, password: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    front_on(listener, upstream, password);
    address
}

/// The same on a listener that was there before.
pub(crate) fn front_on(listener: TcpListener, upstream: String, password: &'static str) {
    tokio::task::spawn(async move {
        while let Ok((stream, _peer)) = listener.accept().await {
            tokio::task::spawn(serve(stream, upstream.clone(), password));
        }
    });
}

/// One connection, until the client leaves.
async fn serve(mut stream: TcpStream, upstream: String, password: &'static str) -> std::io::Result<()> {
    loop {
        let length = stream.read_u32().await?;
        let mut request = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut request).await?;
        let short = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let (key, version) = (short(0), short(2));
        let mut answer = request[4..8].to_vec();
        let mut logged_in = false;
        match key {
            API_VERSIONS => answer.extend(api_versions(version)),
            SASL_HANDSHAKE => answer.extend([&[0, 0, 0, 0, 0, 1, 0, 5][..], b"PLAIN"].concat()),
            SASL_AUTHENTICATE => {
                logged_in = request.ends_with(format!("\0{password}").as_bytes());
                answer.extend(authenticated(logged_in));
            }
            other => panic!("a request of kind {other} before the login"),
        }
        stream.write_u32(u32::try_from(answer.len()).unwrap()).await?;
        stream.write_all(&answer).await?;
        if logged_in {
            let mut onward = TcpStream::connect(&upstream).await?;
            copy_bidirectional(&mut stream, &mut onward).await?;
            return Ok(());
        }
    }
}

/// Version 0 of the list; the client asks with a later one first and is told to come back.
fn api_versions(asked: i16) -> Vec<u8> {
    let error = if asked == 0 { 0 } else { UNSUPPORTED_VERSION };
    let kinds: [(i16, i16, i16); 4] =
        [(API_VERSIONS, 0, 0), (SASL_HANDSHAKE, 0, 1), (SASL_AUTHENTICATE, 0, 0), (3, 0, 4)];
    let mut answer = error.to_be_bytes().to_vec();
    answer.extend(4_i32.to_be_bytes());
    for (key, from, to) in kinds {
        answer.extend([key.to_be_bytes(), from.to_be_bytes(), to.to_be_bytes()].concat());
    }
    answer
}

fn authenticated(logged_in: bool) -> Vec<u8> {
    let (error, text) = if logged_in { (0, "") } else { (SASL_AUTHENTICATION_FAILED, "no such user or password") };
    let length = i16::try_from(text.len()).unwrap();
    [&error.to_be_bytes()[..], &length.to_be_bytes(), text.as_bytes(), &0_i32.to_be_bytes()].concat()
}
