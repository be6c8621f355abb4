use super::*;

const LIMITS: Limits = Limits { head: 200, body: 100 };

/// The actions that an input leads to, whole or byte by byte.
fn actions(input: &[u8]) -> Vec<Action> {
    let pieces = |size: usize| {
        let mut http = Http::new(LIMITS);
        let mut actions = Vec::new();
        for piece in input.chunks(size) {
            http.receive(piece);
            loop {
                match http.step() {
                    Action::Wait => break,
                    action @ (Action::Continue | Action::Answer(_)) => actions.push(action),
                }
            }
        }
        actions
    };
    let (whole, single) = (pieces(input.len().max(1)), pieces(1));
    // Who sends byte by byte has not begun with the body when the head is complete.
    let finals =
        |actions: &[Action]| actions.iter().copied().filter(|a| *a != Action::Continue).collect::<Vec<_>>();
    assert_eq!(finals(&whole), finals(&single), "{:?}", input.escape_ascii().to_string());
    whole
}

fn says(status: Status, then: Then) -> Action {
    Action::Answer(Answer { status, with_body: true, then })
}

fn ok(then: Then) -> Action {
    says(Status::Ok, then)
}

fn rejected(status: Status) -> Vec<Action> {
    vec![says(status, Then::Reject)]
}

#[test]
fn get_keeps_the_connection() {
    assert_eq!(actions(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), [ok(Then::GoOn)]);
    assert_eq!(actions(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"), [ok(Then::Finish)]);
}

#[test]
fn old_clients_are_finished_unless_they_ask() {
    assert_eq!(actions(b"GET / HTTP/1.0\r\n\r\n"), [ok(Then::Finish)]);
    assert_eq!(actions(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), [ok(Then::GoOn)]);
    assert_eq!(actions(b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), [ok(Then::Finish)]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let three = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\
        POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
        PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(actions(three), [ok(Then::GoOn), ok(Then::GoOn), says(Status::MethodNotAllowed, Then::GoOn)]);
}

#[test]
fn nothing_is_read_after_the_last_answer() {
    let two = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(actions(two), [ok(Then::Finish)]);
}

#[test]
fn head_is_answered_without_content() {
    let head = Action::Answer(Answer { status: Status::Ok, with_body: false, then: Then::GoOn });
    assert_eq!(actions(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), [head]);
}

#[test]
fn bodies_are_read_to_their_end() {
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(actions(chunked), [ok(Then::GoOn), ok(Then::GoOn)]);
    assert_eq!(actions(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcd"), []);
}

#[test]
fn too_long_a_body_is_answered_before_it_is_read() {
    let rejected = rejected(Status::ContentTooLarge);
    assert_eq!(actions(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n"), rejected);
    let huge = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    assert_eq!(actions(huge), rejected);
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n";
    assert_eq!(actions(chunked), rejected);
}

#[test]
fn a_body_held_back_is_asked_for_unless_it_is_too_long() {
    let post = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(actions(post), [Action::Continue]);
    let with_body = [&post[..], b"abc"].concat();
    assert_eq!(actions(&with_body), [ok(Then::GoOn)]);
    let large = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 999\r\n\r\n";
    assert_eq!(actions(large), rejected(Status::ContentTooLarge));
    let other = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n";
    assert_eq!(actions(other), rejected(Status::ExpectationFailed));
}

#[test]
fn bad_heads_are_refused() {
    for bad in [
        &b"\x16\x03\x01\x02\x00\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ] {
        assert_eq!(actions(bad), rejected(Status::BadRequest), "{}", bad.escape_ascii());
    }
    assert_eq!(actions(b"GET / HTTP/2.0\r\n\r\n"), rejected(Status::VersionNotSupported));
    assert_eq!(
        actions(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        rejected(Status::NotImplemented)
    );
}

#[test]
fn what_is_too_long_is_refused_before_it_ends() {
    let endless = [&b"GET / HTTP/1.1\r\nHost: a\r\nX: "[..], &[b'x'; 300]].concat();
    assert_eq!(actions(&endless), rejected(Status::HeadTooLarge));
    let lines = b"A:\r\n".repeat(45);
    let many = [&b"GET / HTTP/1.1\r\nHost: a\r\n"[..], &lines, b"\r\n"].concat();
    assert_eq!(actions(&many), rejected(Status::HeadTooLarge));
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = [&chunked[..], b"1;", &[b'x'; 300]].concat();
    assert_eq!(actions(&extension), rejected(Status::BadRequest));
    let trailers = [&chunked[..], b"0\r\n", &b"A: b\r\n".repeat(40)].concat();
    assert_eq!(actions(&trailers), rejected(Status::HeadTooLarge));
}

#[test]
fn it_knows_where_a_stream_may_end() {
    let mut http = Http::new(LIMITS);
    assert!(http.is_at_rest());
    for (piece, at_rest) in [
        (&b"\r\n"[..], true),
        (b"POST / HTTP/1.1\r\nHost: a\r\n", false),
        (b"Content-Length: 3\r\n\r\n", false),
        (b"ab", false),
        (b"c", true),
    ] {
        http.receive(piece);
        let _action = http.step();
        assert_eq!(http.is_at_rest(), at_rest, "{}", piece.escape_ascii());
    }
}

#[test]
fn the_last_answer_says_so() {
    let mut http = Http::new(LIMITS);
    http.finish();
    http.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(http.step(), ok(Then::Finish));
    assert_eq!(http.step(), Action::Wait);
}

#[test]
fn an_answer_is_as_long_as_it_says() {
    for (length, expected) in [(0, 18), (18, 18), (1000, 1000)] {
        let answer = Answer { status: Status::ContentTooLarge, with_body: true, then: Then::Reject };
        let bytes = answer.bytes(length);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(bytes.len() - end, expected);
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        assert!(head.contains(&format!("Content-Length: {expected}\r\n")), "{head}");
        let without = Answer { with_body: false, ..answer };
        assert_eq!(without.bytes(length), bytes[..end]);
    }
}

/// Any bytes, in any pieces: no panic, at most one last answer, and nothing held beyond the limits.
#[test]
fn garbage_does_no_harm() {
    let mut random = fastrand::Rng::with_seed(1);
    let words: [&[u8]; 12] = [
        b"GET / HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"\r\n",
        b"Content-Length: 7\r\n",
        b"5\r\nabcde\r\n",
        b"\0",
        b"Transfer-Encoding: chunked\r\n",
        b"POST / HTTP/1.1\r\n",
        b"0\r\n\r\n",
        b"xxxxxxxxxx",
        b"\n",
        b"\xff\xfe",
    ];
    for _ in 0..20_000 {
        let mut http = Http::new(LIMITS);
        let mut last_answers = 0;
        for _ in 0..random.usize(1..12) {
            http.receive(words[random.usize(0..words.len())]);
            loop {
                match http.step() {
                    Action::Wait => break,
                    Action::Continue => {}
                    Action::Answer(answer) => last_answers += u32::from(answer.then != Then::GoOn),
                }
            }
            assert!(http.input.len() <= LIMITS.head, "{:?}", http.input);
        }
        assert!(last_answers <= 1);
    }
}
