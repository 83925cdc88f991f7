"""Talks to `offhook mcp` with the official Python client, in every lifecycle that client has.

Usage: mcp_client.py PROGRAM [ARGUMENT...]; exit code 0 and a last line "ok" mean that all checks held.
Works with mcp 1.x (initialize only) and 2.x (initialize and discover).
"""

import asyncio
import json
import sys
import time

import mcp
from mcp import ClientSession, StdioServerParameters, stdio_client

COMPATIBLE = [
    "list_phones", "add_phone", "drop_phone", "get_phone", "update_phone", "load_phones", "get_sip_log",
    "get_call_messages", "list_recordings", "analyze_capture", "validate_scenario", "run_scenario",
]
NATIVE = ["wait_for_event", "query_events", "call_snapshot", "server_status", "conference_calls"]


def check(claim, holds):
    if not holds:
        raise SystemExit(f"does not hold: {claim}")
    print(f"  {claim}")


def is_error(result):
    return getattr(result, "is_error", getattr(result, "isError", None))


def structured(result):
    return getattr(result, "structured_content", getattr(result, "structuredContent", None))


async def use(client):
    """Checks that hold for any client object with list_tools and call_tool."""
    tools = [tool.name for tool in (await client.list_tools()).tools]
    check("the tools come in the published order", tools[:17] == COMPATIBLE + NATIVE)
    check("phone actions are listed until changes are followed", len(tools) == 39)

    phones = await client.call_tool("list_phones", {})
    check("a result is JSON text and the same structure", json.loads(phones.content[0].text) == structured(phones))
    check("an empty roster has no phones", structured(phones) == {"total_count": 0, "phones": []})

    missing = await client.call_tool("get_phone", {"phone_id": "ghost"})
    check("a business error is an ordinary result", not is_error(missing) and structured(missing)["status"] == "error")

    wrong = await client.call_tool("get_phone", {})
    check("wrong arguments are an error result", is_error(wrong) and "phone_id" in wrong.content[0].text)

    waited = await client.call_tool("wait_for_event", {"events": ["call.*"], "within_ms": 50})
    check("a wait ends", structured(waited)["found"] is False)

    both = await asyncio.gather(
        client.call_tool("wait_for_event", {"events": ["call.*"], "within_ms": 400}),
        client.call_tool("server_status", {}),
    )
    check("calls are answered side by side", structured(both[1])["phones"] == 0)

    started = time.perf_counter()
    for _ in range(500):
        await client.call_tool("server_status", {})
    print(f"  500 sequential calls: {(time.perf_counter() - started) * 2:.2f} ms each, client included")


async def with_handshake(server):
    async with stdio_client(server) as (reading, writing), ClientSession(reading, writing) as session:
        welcome = await session.initialize()
        version = getattr(welcome, "protocol_version", getattr(welcome, "protocolVersion", None))
        print(f"initialize: revision {version}")
        check("the server tells its name", getattr(welcome, "server_info", getattr(welcome, "serverInfo", None)).name == "offhook")
        check("instructions are shipped", "wait_for_event" in welcome.instructions)
        await use(session)


async def with_discovery(server):
    async with mcp.Client(server, mode="auto") as client:
        print(f"discover: revision {client.protocol_version}")
        check("the newest revision is spoken", client.protocol_version >= "2026-07-28")
        await use(client)
        async with client.listen(tools_list_changed=True):
            check("list changes can be subscribed to", True)


async def main():
    server = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:])
    await with_handshake(server)
    if hasattr(mcp, "Client"):
        await with_discovery(server)
    print("ok")


asyncio.run(main())
