"""Asks a server for a list without knowing its API: the server describes it, by reflection v1 and v1alpha."""

import sys

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "shortlist.v1.ShortlistService"


def pool_of_v1alpha(channel):
    """As grpcio's own reflection client asks."""
    return DescriptorPool(ProtoReflectionDescriptorDatabase(channel))


def pool_of_v1(channel):
    """The messages of v1 are those of v1alpha under another name."""
    ask = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    pool, known = DescriptorPool(), set()

    def add(request):
        (answer,) = ask(iter([request]))
        for serialized in answer.file_descriptor_response.file_descriptor_proto:
            file = FileDescriptorProto.FromString(serialized)
            if file.name in known:
                continue
            known.add(file.name)
            for name in file.dependency:
                add(reflection_pb2.ServerReflectionRequest(file_by_filename=name))
            pool.Add(file)

    add(reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE))
    return pool


def main(address):
    with grpc.insecure_channel(address) as channel:
        for pool in (pool_of_v1alpha(channel), pool_of_v1(channel)):
            method = pool.FindServiceByName(SERVICE).FindMethodByName("Recommend")
            request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
            recommend = channel.unary_unary(
                f"/{SERVICE}/Recommend",
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )
            answer = recommend(request(user_id="user-1", k=3), timeout=5)
            print("list", *(item.item_id for item in answer.items))
            try:
                recommend(request(user_id="user-1", k=0), timeout=5)
            except grpc.RpcError as error:
                print("refused", error.code().name, dict(error.trailing_metadata())["shortlist-code"])


main(sys.argv[1])
