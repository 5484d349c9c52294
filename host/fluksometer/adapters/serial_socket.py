"""The RS-485 line as a TCP socket on the loopback: raw bytes both ways, for any Modbus tool."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

HOST = "127.0.0.1"
CLIENTS_MOST = 8
PIECE_BYTES = 1000  # what the board takes in one piece
GATHER_S = 0.005  # a request may come in two parts
RETRY_S = 5.0
_UNREAD_MOST = 65_536  # bytes that a client may leave unread before it is sent away


class Line(Protocol):
    """What a client talks to."""

    def ask(self, client: "Client", data: bytes) -> None:
        """A client wants this sent; ``client.finished`` is called when its turn is over."""
        ...

    def forget(self, client: "Client") -> None:
        """A client has gone."""
        ...


class Client:
    """One connection. A client whose request is under way is not read, so that what it sends waits in its own queue."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._free = asyncio.Event()

    def give(self, data: bytes) -> None:
        """Bytes from the line; one that does not read them is sent away."""
        if self._writer.transport.get_write_buffer_size() > _UNREAD_MOST:
            self._writer.transport.abort()
        elif not self._writer.is_closing():
            self._writer.write(data)

    def finished(self) -> None:
        """Its turn is over: it may ask again."""
        self._free.set()

    async def converse(self, line: Line) -> None:
        """Passes on what it says, until it goes."""
        while data := await self._next_piece():
            self._free.clear()
            line.ask(self, data)
            await self._free.wait()

    async def _next_piece(self) -> bytes:
        data = await self._reader.read(PIECE_BYTES)
        while data and len(data) < PIECE_BYTES:
            try:
                more = await asyncio.wait_for(self._reader.read(PIECE_BYTES - len(data)), GATHER_S)
            except TimeoutError:
                break
            if not more:
                break
            data += more
        return data

    def close(self) -> None:
        """Ends the connection."""
        self._free.set()
        self._writer.close()


class SerialSocket:
    """``serve`` until cancelled; ``failed`` is told why the port can't be opened, each time it is tried in vain."""

    def __init__(self, port: int, line: Line, failed: Callable[[str], None]) -> None:
        self._port, self._line, self._failed = port, line, failed
        self.clients: list[Client] = []

    async def serve(self) -> None:
        """Accepts clients. A port that is taken is tried again every few seconds."""
        while True:
            try:
                server = await asyncio.start_server(self._accept, HOST, self._port)
            except OSError as error:
                self._failed(f"rs485.tcp_port: {HOST}:{self._port} can't be opened: {error.strerror}")
                await asyncio.sleep(RETRY_S)
                continue
            async with server:
                try:
                    await server.serve_forever()
                finally:
                    for client in self.clients:
                        client.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        if len(self.clients) >= CLIENTS_MOST:
            client.close()
            return
        self.clients.append(client)
        try:
            with suppress(OSError):
                await client.converse(self._line)
        finally:
            self.clients.remove(client)
            self._line.forget(client)
            client.close()
