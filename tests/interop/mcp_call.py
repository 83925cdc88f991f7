"""Two phones on the lab Asterisk, driven by the official Python MCP client: call, digits, a tone, a recording.

Usage: mcp_call.py SIP_PORT WAV_TO_PLAY FOLDER PROGRAM [ARGUMENT...]; exit code 0 and a last line "ok" mean that all
checks held. The recording is measured here, with this file's own arithmetic.
"""

import asyncio
import json
import math
import struct
import sys
import wave

from mcp import ClientSession, StdioServerParameters, stdio_client

HERTZ = 1000


def check(claim, holds):
    if not holds:
        raise SystemExit(f"does not hold: {claim}")
    print(f"  {claim}")


def write_tone(path, seconds):
    with wave.open(path, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        samples = (int(8000 * math.sin(2 * math.pi * HERTZ * n / 8000)) for n in range(8000 * seconds))
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


def share_of_tone(samples, hertz):
    """Returns how much of the energy lies at one frequency: 1.0 for a pure sine (Goertzel)."""
    turn = 2 * math.cos(2 * math.pi * hertz / 8000)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    power = before * before + last * last - turn * before * last
    energy = sum(sample * sample for sample in samples)
    return 2 * power / (len(samples) * energy) if energy else 0.0


def heard(path):
    """Returns the left channel of a recording: what was received."""
    with wave.open(path, "rb") as recording:
        check("the recording is stereo, 16 bits, 8 kHz", recording.getparams()[:3] == (2, 2, 8000))
        frames = recording.readframes(recording.getnframes())
    return [left for left, _ in struct.iter_unpack("<hh", frames)]


async def main():
    port, tone, folder = sys.argv[1:4]
    write_tone(tone, 1)
    server = StdioServerParameters(command=sys.argv[4], args=[*sys.argv[5:], "--recordings", folder])
    async with stdio_client(server) as (reading, writing), ClientSession(reading, writing) as session:
        await session.initialize()

        async def call(tool, **arguments):
            return json.loads((await session.call_tool(tool, arguments)).content[0].text)

        async def wait(**arguments):
            found = await session.call_tool("wait_for_event", {"within_ms": 8000, "after": 0, **arguments})
            text = found.content[0].text
            check(f"{arguments['events'][0]} comes", not text.startswith("nothing"))
            return getattr(found, "structured_content", getattr(found, "structuredContent", None))

        for phone, extension in (("a", "6001"), ("b", "6002")):
            added = await call(
                "add_phone", phone_id=phone, domain=f"127.0.0.1:{port}", username=extension,
                password=f"secret{extension}", recording_enabled=phone == "b",
            )
            check(f"{phone} is registered", added["status"] == "ok" and added["is_registered"])
        names = [tool.name for tool in (await session.list_tools()).tools]
        check("each phone has its tools", names.count("a_make_call") == 1 and names.count("b_answer_call") == 1)

        placed = await call("a_make_call", dest_uri=f"sip:6002@127.0.0.1:{port}")
        await wait(events=["call.incoming"], phone_id="b")
        answered = await call("b_answer_call")
        check("the answer names the call", answered["status"] == "ok" and answered["phone_id"] == "b")
        await wait(events=["call.established"], phone_id="a")
        await call("a_send_dtmf", call_id=placed["call_id"], digits="19#")
        await wait(events=["dtmf.finished"], phone_id="a")
        await call("a_play_audio", file_path=tone, call_id=placed["call_id"])
        await wait(events=["media.playback_finished"], phone_id="a")
        info = await call("b_get_call_info")
        check("the call is confirmed", info["state"] == "CONFIRMED" and info["rtp"]["rx_packets"] >= 40)
        await call("a_hangup", call_id=placed["call_id"])
        await wait(events=["media.recording_stopped"], phone_id="b")

        digits = (await session.call_tool("query_events", {"events": ["dtmf.received"]})).content[0].text
        check("the digits came in order", [line.split("digit=")[1][0] for line in digits.splitlines() if "digit=" in line] == list("19#"))
        recordings = (await call("list_recordings", phone_id="b"))["recordings"]
        check("there is one recording", len(recordings) == 1)
        samples = heard(recordings[0]["file_path"])
        loud = [abs(sample) > 1000 for sample in samples]
        first = next(n for n in range(len(loud)) if sum(loud[n:n + 800]) > 500)
        steady = samples[first + 800:first + 6400]
        share = share_of_tone(steady, HERTZ)
        print(f"  share of {HERTZ} Hz: {share:.4f}; of 1100 Hz: {share_of_tone(steady, 1100):.4f}")
        check("the recording holds the tone that the other phone played", share > 0.98)
        for phone in "ab":
            await call("drop_phone", phone_id=phone)
    print("ok")


asyncio.run(main())
