use axum::extract::{MatchedPath, Request};
use http::Method;

use crate::access::Role;

/// What a request is for: the name that it is counted under, the same for both protocols, and who may ask for it.
/// Names come from this list, never from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) name: &'static str,
    /// None: everybody.
    pub(crate) needs: Option<Role>,
}

const OTHER: Endpoint = reads("other");

const fn reads(name: &'static str) -> Endpoint {
    Endpoint { name, needs: Some(Role::Read) }
}

const fn writes(name: &'static str) -> Endpoint {
    Endpoint { name, needs: Some(Role::Write) }
}

impl Endpoint {
    pub(crate) fn of(request: &Request) -> Self {
        if let Some(method) = request.uri().path().strip_prefix("/shortlist.v1.ShortlistService/") {
            return Self::of_grpc(method);
        }
        if request.uri().path().starts_with("/grpc.health.v1.Health/") {
            return Self { name: "health", needs: None };
        }
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        Self::of_rest(request.method(), path.unwrap_or_default())
    }

    fn of_grpc(method: &str) -> Self {
        match method {
            "Recommend" => reads("recommend"),
            "Similar" => reads("similar"),
            "Search" => reads("search"),
            "Rank" => reads("rank"),
            "IngestEvents" => writes("ingest_events"),
            "StreamEvents" => writes("stream_events"),
            "PutItem" => writes("put_item"),
            "PutItems" => writes("put_items"),
            "PatchItem" => writes("patch_item"),
            "GetItem" => reads("get_item"),
            "ListItems" => reads("list_items"),
            "DeleteItem" => writes("delete_item"),
            "PutUser" => writes("put_user"),
            "PutUsers" => writes("put_users"),
            "GetUser" => reads("get_user"),
            "ListUsers" => reads("list_users"),
            "DeleteUser" => writes("delete_user"),
            _ => OTHER,
        }
    }

    /// `path` as the routes are written.
    fn of_rest(method: &Method, path: &str) -> Self {
        match (method, path) {
            (&Method::POST, "/v1/recommend") | (&Method::GET, "/v1/users/{user_id}/recommendations") => {
                reads("recommend")
            }
            (&Method::POST, "/v1/similar") => reads("similar"),
            (&Method::POST, "/v1/search") => reads("search"),
            (&Method::POST, "/v1/rank") => reads("rank"),
            (&Method::POST, "/v1/events") => writes("ingest_events"),
            (&Method::PUT, "/v1/items/{item_id}") => writes("put_item"),
            (&Method::POST, "/v1/items") => writes("put_items"),
            (&Method::PATCH, "/v1/items/{item_id}") => writes("patch_item"),
            (&Method::GET, "/v1/items/{item_id}") => reads("get_item"),
            (&Method::GET, "/v1/items") => reads("list_items"),
            (&Method::DELETE, "/v1/items/{item_id}") => writes("delete_item"),
            (&Method::PUT, "/v1/users/{user_id}") => writes("put_user"),
            (&Method::POST, "/v1/users") => writes("put_users"),
            (&Method::GET, "/v1/users/{user_id}") => reads("get_user"),
            (&Method::GET, "/v1/users") => reads("list_users"),
            (&Method::DELETE, "/v1/users/{user_id}") => writes("delete_user"),
            // Whoever watches over the server asks these, and they say nothing of users or items.
            (&Method::GET, "/healthz" | "/readyz" | "/openapi.json" | "/docs" | "/docs/" | "/docs/{*file}") => {
                Self { name: "operations", needs: None }
            }
            (&Method::GET, "/metrics") => reads("operations"),
            (_, path) if path.starts_with("/admin/") => Self { name: "admin", needs: Some(Role::Admin) },
            _ => OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use shortlist_proto::v1::FILE_DESCRIPTOR_SET;

    use super::*;

    #[test]
    fn every_grpc_method_has_a_name_and_reads_alone_are_open_to_readers() {
        use prost::Message;
        let files = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let services = files.file.iter().flat_map(|file| &file.service);
        let methods: Vec<_> = services.flat_map(|service| &service.method).map(|method| method.name()).collect();
        assert!(methods.len() >= 17);
        for method in methods {
            let endpoint = Endpoint::of_grpc(method);
            assert_ne!(endpoint.name, "other", "{method}");
            let writes = ["Put", "Patch", "Delete", "Ingest", "Stream"].iter().any(|verb| method.starts_with(verb));
            assert_eq!(endpoint.needs, Some(if writes { Role::Write } else { Role::Read }), "{method}");
        }
    }

    #[test]
    fn a_path_that_no_route_has_needs_a_key_too() {
        assert_eq!(Endpoint::of_rest(&Method::GET, ""), OTHER);
        assert_eq!(OTHER.needs, Some(Role::Read));
    }
}
