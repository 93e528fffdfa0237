"""Words of what goes wrong with a live stream."""

WORDS: dict[str, tuple[str, str]] = {
    "error.no_stream": ("This console has no live stream", "这个控制台没有实时流"),
    "error.no_stream.remedy": (
        "Start it with `opinion web` or `opinion up`, which know the broker.",
        "请用 opinion web 或 opinion up 启动，它们知道消息代理的地址。",
    ),
    "error.stream_full": ("Too many readers are connected", "连接的读者太多"),
    "error.stream_full.remedy": (
        "Ask again later, or start another console; OPINION_STREAM__MOST_READERS is the limit.",
        "请稍后再试，或再启动一个控制台；上限是 OPINION_STREAM__MOST_READERS。",
    ),
    "error.stream_away": ("The stream cannot be read now", "暂时无法读取实时流"),
    "error.stream_away.remedy": (
        "Wait as long as Retry-After says, then ask again at the same cursor; nothing is lost.",
        "请按 Retry-After 等待，然后用同一个 cursor 再次请求；不会丢失任何内容。",
    ),
    "error.bad_cursor": ("This is not a cursor of this stream", "这不是本实时流的 cursor"),
    "error.bad_cursor.remedy": (
        "Give the id of an event of this stream, `start`, or no cursor at all.",
        "请给出本实时流某个事件的 id、start，或不带 cursor。",
    ),
}
