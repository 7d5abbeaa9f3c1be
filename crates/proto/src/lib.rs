//! The wire format: messages, server and client generated from `proto/`.
//!
//! Floor 0. The comments in `proto/` are the reference of the API; this crate adds short ways to write
//! its messages, and no meaning. Its users are the gateway, which serves it, and `shortlist-client`.

mod messages;

/// Package `shortlist.v1`.
#[allow(missing_docs, unreachable_pub, clippy::all)] // generated
pub mod v1 {
    tonic::include_proto!("shortlist.v1");

    /// The files of `proto/` as a serialised `FileDescriptorSet`, for server reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("shortlist.v1");
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::v1;

    #[test]
    fn the_descriptor_set_holds_the_service_and_its_comments() {
        let set = prost_types::FileDescriptorSet::decode(v1::FILE_DESCRIPTOR_SET).unwrap();
        let file = set.file.iter().find(|file| file.name() == "shortlist/v1/service.proto").unwrap();
        assert_eq!(file.package(), "shortlist.v1");
        assert_eq!(file.service[0].name(), "ShortlistService");
        assert!(file.source_code_info.as_ref().unwrap().location.iter().any(|place| place.leading_comments.is_some()));
    }

    #[test]
    fn an_absent_k_is_not_a_zero() {
        let asked = v1::RecommendRequest { k: Some(0), ..Default::default() };
        let bytes = asked.encode_to_vec();
        assert_eq!(v1::RecommendRequest::decode(bytes.as_slice()).unwrap().k, Some(0));
        assert_eq!(v1::RecommendRequest::decode(&[][..]).unwrap().k, None);
    }
}
