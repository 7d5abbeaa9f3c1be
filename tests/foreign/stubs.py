"""Asks a server by code that protoc made from the files in proto/, which lies in the folder given second."""

import sys

import grpc

sys.path.insert(0, sys.argv[2])

from shortlist.v1 import events_pb2, recommend_pb2, service_pb2_grpc  # noqa: E402


def main(address):
    with grpc.insecure_channel(address) as channel:
        service = service_pb2_grpc.ShortlistServiceStub(channel)
        answer = service.Recommend(recommend_pb2.RecommendRequest(user_id="user-1", k=3), timeout=5)
        print("list", *(item.item_id for item in answer.items))
        click = events_pb2.Event(
            event_id="click-1",
            user_id="user-1",
            item_id=answer.items[0].item_id,
            event_type="click",
            request_id=answer.request_id,
        )
        for _ in range(2):
            done = service.IngestEvents(events_pb2.IngestEventsRequest(events=[click]), timeout=10)
            print("accepted", done.accepted, "duplicates", done.duplicates)


main(sys.argv[1])
