"""Words of the page of documents: the search box, its help and its refusals, facets."""

WORDS: dict[str, tuple[str, str]] = {
    "search.placeholder": ('Words, "a phrase", begin*, AND, OR, NOT', "关键词、“短语”、前缀*、AND、OR、NOT"),
    "search.results": ("Matches, newest first", "搜索结果，按时间从新到旧"),
    "search.help": ("How to search", "搜索语法"),
    "search.help.both": ("both words, anywhere in title and text", "标题或正文中同时出现这两个词"),
    "search.help.or": ("one of them (also 或)", "出现其中之一（也可写“或”）"),
    "search.help.not": ("the first without the second (also -过期, 不含)", "含前者、不含后者（也可写 -过期、不含）"),
    "search.help.phrase": ("these words one after the other", "按原样连续出现的词"),
    "search.help.prefix": ("words that begin so", "以此开头的英文单词"),
    "search.help.brackets": ("brackets say what belongs together", "括号表示哪些条件是一组"),
    "search.help.more": (
        "Case, full width and white space make no difference; simplified and traditional characters do.",
        "不区分大小写、全角半角和空格；简体与繁体视为不同的字。",
    ),
    "search.problem.long": (
        "The query has more than 1,000 characters. Leave some words out.",
        "查询超过 1000 个字符，请减少一些词。",
    ),
    "search.problem.nul": (
        "A NUL character matches nothing. Remove it here:",
        "空字符（NUL）不会匹配任何内容，请删除：",
    ),
    "search.problem.empty": ("The query is empty. Write at least one word.", "查询是空的，请至少输入一个词。"),
    "search.problem.stray": (
        "This does not belong here. Remove it, or put it in quotation marks:",
        "这里不应出现这个内容，请删除，或放进引号里：",
    ),
    "search.problem.early": (
        "The query ends too early: a word or a closing bracket is missing here.",
        "查询没有写完：末尾缺少一个词或右括号。",
    ),
    "search.problem.many": (
        "The query has more than 50 words and phrases. Leave some out.",
        "查询中的词和短语超过 50 个，请减少一些。",
    ),
    "search.problem.quote": ("This quotation mark has no partner:", "这个引号没有成对："),
    "search.problem.deep": ("There are too many brackets inside each other here:", "这里的括号嵌套过深："),
    "search.problem.syntax": ("This is not part of the syntax:", "这里的写法不属于搜索语法："),
    "search.problem.star": ("* may only end a word:", "* 只能放在词尾："),
    "search.problem.nothing": ("There is nothing to look for here:", "这里没有可搜索的内容："),
    "search.refused": ("Nothing was searched", "没有执行搜索"),
    "search.refused.why": (
        "The query above cannot be understood; correct it at the marked place.",
        "上面的查询无法理解，请在标出的位置改正。",
    ),
    "search.refused.next": ("Documents without a query", "不带查询的文档列表"),
    "search.given_up": (
        "After {seconds} seconds the search was stopped. A rarer word, a filter or a shorter time makes it faster; "
        "documents without a search index take longest.",
        "搜索 {seconds} 秒后已停止。换更少见的词、增加筛选条件或缩短时间范围会更快；尚未建立搜索索引的文档最慢。",
    ),
    "search.given_up.next": ("Search only the last 7 days", "只搜索最近 7 天"),
    "search.empty.narrow": (
        "The words do not occur in this range with these filters. They may elsewhere.",
        "在这个时间范围和筛选条件下没有出现这些词，其他范围可能有。",
    ),
    "search.empty.everywhere": ("Search for the same words everywhere", "用同样的词在全部文档中搜索"),
    "search.empty.words": (
        "No stored document has these words. Fewer words, OR between them or the other script (简/繁) may help.",
        "库里没有文档含有这些词。可以减少词数、用 OR 连接，或换用简体/繁体再试。",
    ),
    "search.below": (
        "The words stand further down in the text: open the document.",
        "匹配的词在正文更靠后的位置，请打开文档查看。",
    ),
    "search.folded": (
        "{n} more copies of these texts were left out of this page.",
        "本页另有 {n} 篇相同内容的转载未列出。",
    ),
    "search.copies": ("Copies of the same text", "相同内容的转载"),
    "search.copies.one": ("One of each text", "合并转载"),
    "search.copies.all": ("All copies", "显示全部转载"),
    "search.pages": ("Pages", "翻页"),
    "search.facets": ("Narrow the result", "缩小范围"),
    "search.facets.here": ("Show the counts", "查看统计"),
    "search.counting": ("Counting the matches…", "正在统计匹配的文档……"),
    "search.uncounted": (
        "The matches were not counted: reading them took too long. Narrow the time or add a word.",
        "没有统计匹配数：读取用时过长。请缩短时间范围或增加关键词。",
    ),
    "search.count": ("{n} documents", "共 {n} 篇文档"),
    "search.count.least": ("At least {n} documents.", "至少 {n} 篇文档。"),
    "search.count.newest": (
        "The figures below are of the newest {n} matches.",
        "以下数字只统计最新的 {n} 篇匹配文档。",
    ),
    "search.more": ("{n} more", "另外 {n} 项"),
    "search.clear": ("clear", "取消"),
    "search.kind": ("Kind", "类型"),
    "search.time": ("Time", "时间"),
    "search.bar": ("from {at}: {n} documents", "自 {at} 起：{n} 篇"),
    "documents.open": ("Details", "详情"),
    "documents.copies": ("copies: {n}", "另有 {n} 篇转载"),
}
