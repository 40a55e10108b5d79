//! The query is decoded once, judged decoded, and written anew: there is no other reading of what the
//! upstream sees, and no key that the gateway did not know.

use super::text::bytes;
use super::{Case, Expected, Sent, check};
use crate::support::client::{ALL, ONE};
use crate::support::table::columns;

/// Queries of a list, and the one that is sent.
const SENT: &str = r"
    ?                                       /
    #x                                      /
    ?#page=1                                /
    ?page=1#&limit=2                        ?page=1
    ?page=1                                 ?page=1
    ?p%61ge=%31                             ?page=1
    ?%70%61%67%65=1                         ?page=1
    ?limit=2&page=1                         ?limit=2&page=1
    ?key%3Ain=a%2cb                         ?key:in=a%2Cb
    ?key:in=a,b                             ?key:in=a%2Cb
    ?key=a+b                                ?key=a%20b
    ?key=a%20b                              ?key=a%20b
    ?key=a%2Bb                              ?key=a%2Bb
    ?key=a%2bb                              ?key=a%2Bb
    ?key=a%26page%3D2                       ?key=a%26page%3D2
    ?key=a%23b                              ?key=a%23b
    ?key=a%253D                             ?key=a%253D
    ?key=%2525%2532%2530                    ?key=%2525%2532%2530
    ?key=a?b?c                              ?key=a%3Fb%3Fc
    ?key=a=b==                              ?key=a%3Db%3D%3D
    ?key=/../x                              ?key=%2F..%2Fx
    ?key=a;page=2                           ?key=a%3Bpage%3D2
    ?key=a\\b                               ?key=a%5Cb
    ?key='or'1'='1                          ?key=%27or%271%27%3D%271
    ?key=%3Cscript%3E                       ?key=%3Cscript%3E
    ?key={a}|b                              ?key=%7Ba%7D%7Cb
    ?key=a\x7eb                             ?key=a~b
    ?key=%7E                                ?key=~
    ?key=\xc3\xa4                           ?key=%C3%A4
    ?key=%c3%a4                             ?key=%C3%A4
    ?key=%F0%9F%98%80                       ?key=%F0%9F%98%80
    ?key=%EF%BB%BFa                         ?key=%EF%BB%BFa
    ?key=%E2%80%AE                          ?key=%E2%80%AE
    ?key=%C2%A0                             ?key=%C2%A0
    ?key=                                   ?key=
    ?key=[]                                 ?key=%5B%5D
    ?namespace=crm&namespace:in=a,b         ?namespace=crm&namespace:in=a%2Cb
    ?key=X-Auth-Token:%20x                  ?key=X-Auth-Token%3A%20x
";

/// Queries of a list that are refused.
const REFUSED: &str = r"
    ## A key twice, however it is spelt.
    malformed_query   ?page=1&page=1
    malformed_query   ?page=1&page=2
    malformed_query   ?page=1&p%61ge=2
    malformed_query   ?%70age=1&pag%65=2
    malformed_query   ?key:in=a&key%3ain=b
    malformed_query   ?page=1&limit=2&page=3
    ## Keys that are none, and keys that are another's.
    unknown_query_key ?Page=1
    unknown_query_key ?page%20=1
    unknown_query_key ?+page=1
    unknown_query_key ?page[]=1
    unknown_query_key ?page%5B%5D=1
    unknown_query_key ?page%5B0%5D=1
    unknown_query_key ?pagе=1
    unknown_query_key ?p%2561ge=1
    unknown_query_key ?=1
    unknown_query_key ?%3Fpage=1
    unknown_query_key ??page=1
    unknown_query_key ?amp;page=1
    unknown_query_key ?metafieldId=9
    unknown_query_key ?id:in=9
    unknown_query_key ?_method=DELETE
    unknown_query_key ?access_token=x
    unknown_query_key ?X-Auth-Token=x
    unknown_query_key ?callback=x
    malformed_query   ?page=1&x=%00
    ## Pairs that are none.
    malformed_query   ?page
    malformed_query   ?&
    malformed_query   ?page=1&
    malformed_query   ?&page=1
    malformed_query   ?page=1&&limit=2
    malformed_query   ?page=1;limit=2&limit
    ## Escapes and bytes.
    malformed_query   ?key=%
    malformed_query   ?key=%4
    malformed_query   ?key=%4g
    malformed_query   ?key=%%34%31
    malformed_query   ?key=%u0041
    malformed_query   ?key=%ff
    malformed_query   ?key=%C0%AF
    malformed_query   ?key=%C1%81
    malformed_query   ?key=%E0%80%AF
    malformed_query   ?key=%F0%80%80%AF
    malformed_query   ?key=%ED%A0%80
    malformed_query   ?key=%ED%B0%80
    malformed_query   ?key=%F4%90%80%80
    malformed_query   ?key=%F8%88%80%80%80
    malformed_query   ?key=%C3
    malformed_query   ?key=%C3%28
    malformed_query   ?key=%80
    malformed_query   ?key=%00
    malformed_query   ?key=a%00b
    malformed_query   ?key=%09
    malformed_query   ?key=%0A
    malformed_query   ?key=%0D
    malformed_query   ?key=%1B
    malformed_query   ?key=%7F
    malformed_query   ?key=%C2%80
    malformed_query   ?key=%C2%9F
    malformed_query   ?key=%0d%0aX-Auth-Token:%20x
    malformed_query   ?key=x%20HTTP/1.1%0d%0aHost:%20other.test
    malformed_query   ?k%00ey=a
    ## No request at all.
    -                 ?key=\0
    -                 ?key=\x01
    -                 ?key=\x7f
    -                 ?key=\t
    -                 ?key=\r
    -                 ?key=\xff
    -                 ?key=a\x20b
";

/// The id that an update says twice: the answer's code, or nothing if it is sent without.
const IDS: &str = r"
    -                 ?metafieldId=9
    -                 ?metafield%49d=%39
    -                 ?%6d%65tafieldId=9
    malformed_query   ?metafieldId=8
    malformed_query   ?metafieldId=09
    malformed_query   ?metafieldId=%2B9
    malformed_query   ?metafieldId=+9
    malformed_query   ?metafieldId=9+
    malformed_query   ?metafieldId=%209
    malformed_query   ?metafieldId=9.0
    malformed_query   ?metafieldId=9e0
    malformed_query   ?metafieldId=0x9
    malformed_query   ?metafieldId=9,8
    malformed_query   ?metafieldId=%EF%BC%99
    malformed_query   ?metafieldId=%2539
    malformed_query   ?metafieldId=18446744073709551625
    malformed_query   ?metafieldId=9%00
    malformed_query   ?metafieldId=
    malformed_query   ?metafieldId
    malformed_query   ?metafieldId=9&metafieldId=9
    malformed_query   ?metafieldId=9&metafieldId=8
    malformed_query   ?metafieldId=9&metafield%49d=8
    malformed_query   ?metafield%49d=8
    unknown_query_key ?metafieldid=8
    unknown_query_key ?MetafieldId=9
    unknown_query_key ?metafield_id=8
    unknown_query_key ?metafield%2549d=8
    unknown_query_key ?metafieldId[]=8
    unknown_query_key ?metafieldId=9&customerId=8
    unknown_query_key ?customerId=7
    unknown_query_key ?id=9
";

fn refused(code: &str, head: &str) -> Case {
    let (answer, end, after) = match code {
        "-" => ("400".to_owned(), "closed", "EVIL"),
        code => (format!("400:{code}"), "open", ""),
    };
    Case::new(&answer, end, bytes(&format!("{head}{after}")))
}

#[test]
fn a_query_is_sent_in_one_encoding() {
    let cases: Vec<Case> = columns(SENT)
        .map(|[query, sent]| {
            let target = format!("{ALL}{}", if sent == "/" { "" } else { sent });
            let mut case = Case::new(
                "-",
                "open",
                bytes(&format!("GET ALL{query} HTTP/1.1~HOST~TOKEN~~")),
            );
            case.answers
                .push(Expected::Served(Sent::new("GET", &target, None)));
            case
        })
        .collect();
    check("queries, sent", &cases);
}

#[test]
fn a_query_that_can_be_read_in_two_ways_is_refused() {
    let cases: Vec<Case> = columns(REFUSED)
        .map(|[code, query]| refused(code, &format!("GET ALL{query} HTTP/1.1~HOST~TOKEN~~")))
        .collect();
    check("queries, refused", &cases);
}

#[test]
fn an_update_has_one_id() {
    let cases: Vec<Case> = columns(IDS)
        .map(|[code, query]| {
            let head = format!("PUT ONE{query} HTTP/1.1~HOST~TOKEN~JSON~Content-Length: 2~~{{}}");
            if code != "-" {
                return refused(code, &head);
            }
            let mut case = Case::new("-", "open", bytes(&head));
            case.answers
                .push(Expected::Served(Sent::new("PUT", ONE, Some("{}"))));
            case
        })
        .collect();
    check("queries, ids", &cases);
}
