"""Words of what went wrong, and what to do about it."""

WORDS: dict[str, tuple[str, str]] = {
    "error": ("This did not work", "没有成功"),
    "error.back": ("Back to the overview", "回到总览"),
    "error.not_found": ("There is no such page or thing", "没有这个页面或对象"),
    "error.not_found.remedy": ("Check the address, or start from the overview.", "请检查地址，或从总览开始。"),
    "error.method_not_allowed": ("This address does not take such a request", "这个地址不接受这样的请求"),
    "error.method_not_allowed.remedy": (
        "See /api/openapi.json for what it takes.",
        "它接受什么，见 /api/openapi.json。",
    ),
    "error.bad_query": ("The address asks for something that does not exist", "地址里要求了不存在的内容"),
    "error.bad_query.remedy": ("Correct the part named above.", "请改正上面指出的部分。"),
    "error.bad_watchlist": ("This watchlist cannot be used", "这个监测词表不能使用"),
    "error.bad_watchlist.remedy": (
        "Correct the part named above; docs/how-to/watch-brands.md has the rules.",
        "请改正上面指出的部分；规则见 docs/how-to/watch-brands.md。",
    ),
    "error.owned_by_file": ("The watchlist file owns this watchlist", "这个监测词表由词表文件管理"),
    "error.owned_by_file.remedy": (
        "Change it in the file and restart a worker, or take another name.",
        "请在文件里修改并重启一个 worker，或换一个名称。",
    ),
    "error.bad_rule": ("This rule cannot be used", "这条规则不能使用"),
    "error.bad_rule.remedy": (
        "Correct the part named above; docs/how-to/write-rules.md describes rules.",
        "请改正上面指出的部分；写法见 docs/how-to/write-rules.md。",
    ),
    "error.rule_not_yours": ("This rule cannot be changed here", "这条规则不能在这里修改"),
    "error.rule_not_yours.remedy": (
        "Change it in the rules file; a default rule is disabled, not removed.",
        "请在规则文件里修改；默认规则只能停用，不能删除。",
    ),
    "error.busy_laboratory": ("Another rule is being tried", "正在试算另一条规则"),
    "error.busy_laboratory.remedy": (
        "Try again in a few seconds, or use `opinion rules test`.",
        "请过几秒再试，或使用 opinion rules test。",
    ),
    "error.bad_request": ("The request cannot be used", "请求无法使用"),
    "error.bad_request.remedy": (
        "Correct the part named above; docs/how-to/route-alerts.md has the rules.",
        "请按提示改正；规则见 docs/how-to/route-alerts.md。",
    ),
    "error.not_possible": ("That is not possible as things stand", "当前状态下无法这样做"),
    "error.not_possible.remedy": ("Look at the incident's state and history.", "请查看该告警的状态与历史。"),
    "error.search_too_long": ("The search took too long and was given up", "搜索时间过长，已停止"),
    "error.search_too_long.remedy": (
        "Add a word or a filter, or narrow the time.",
        "请增加关键词或筛选条件，或缩小时间范围。",
    ),
    "error.database": ("The database does not answer", "数据库没有应答"),
    "error.database.remedy": (
        "Run `opinion doctor`; this page recovers by itself.",
        "请运行 `opinion doctor`；恢复后本页会自动恢复。",
    ),
    "error.cross_origin": (
        "Another site asked for this change, so it was refused",
        "这个更改是别的网站发起的，已拒绝",
    ),
    "error.cross_origin.remedy": ("Open the console itself and try again there.", "请打开控制台，在那里重试。"),
    "error.bad_token": ("There is no token that lets you in", "没有可用的令牌"),
    "error.bad_token.remedy": (
        "Make one with `opinion tokens create NAME` and send it as `Authorization: Bearer …`.",
        "请用 `opinion tokens create 名称` 生成，并以 `Authorization: Bearer …` 发送。",
    ),
    "error.wrong_role": ("Your role does not allow this", "你的角色不能执行此操作"),
    "error.wrong_role.remedy": ("Ask an admin for the role named above.", "请向管理员申请上面所写的角色。"),
    "error.wrong_scope": ("The token is not good for this", "这个令牌不能用于此操作"),
    "error.wrong_scope.remedy": (
        "Make one with this scope: `opinion tokens create NAME --scope …`.",
        "请生成带此权限的令牌：`opinion tokens create 名称 --scope …`。",
    ),
    "error.too_large": ("The body is too large", "请求体过大"),
    "error.too_large.remedy": ("Send fewer documents in each request.", "请减少每次请求的文档数。"),
    "error.unsupported_type": ("The body is of a type that is not taken", "不接受这种类型的请求体"),
    "error.unsupported_type.remedy": (
        "Correct Content-Type or Content-Encoding.",
        "请改正 Content-Type 或 Content-Encoding。",
    ),
    "error.bad_body": ("The body cannot be read", "无法读取请求体"),
    "error.bad_body.remedy": ("Correct it; none of its documents was taken.", "请改正；其中的文档都没有收下。"),
    "error.slow": ("The body came too slowly", "请求体发送得太慢"),
    "error.slow.remedy": ("Send smaller bodies.", "请发送更小的请求体。"),
    "error.busy": ("Too much is being sent at once", "同时发送的内容过多"),
    "error.busy.remedy": (
        "Wait as long as Retry-After says, then send the same again.",
        "请按 Retry-After 等待后原样重发。",
    ),
    "error.broker": ("Kafka does not answer", "Kafka 没有应答"),
    "error.broker.remedy": (
        "Wait as long as Retry-After says, then send the same again; repeats have no effect.",
        "请按 Retry-After 等待后原样重发；重复发送没有影响。",
    ),
    "error.failed": ("The console made a mistake", "控制台出错了"),
    "error.failed.remedy": ("Its log has the reason; please report it.", "原因在日志里，请报告给我们。"),
}
