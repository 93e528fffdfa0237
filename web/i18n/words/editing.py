"""Words that all forms share: their buttons, and what is wrong with a field and what to do about it."""

WORDS: dict[str, tuple[str, str]] = {
    "edit.preview": ("Preview", "预览"),
    "edit.save": ("Save", "保存"),
    "edit.cancel": ("Back to the list", "返回列表"),
    "edit.new": ("New", "新建"),
    "edit.name": ("Name", "名称"),
    "edit.owner": ("Owned by", "归属"),
    "edit.changed": ("Changed", "修改时间"),
    "edit.by": ("{at} by {by}", "{at}，{by}"),
    "edit.from_file": ("file", "文件"),
    "edit.default": ("built in", "内置"),
    "edit.unusable": ("cannot be used: {why}", "无法使用：{why}"),
    "edit.one_a_line": ("One a line.", "每行一个。"),
    "edit.line": ("line {n}:", "第 {n} 行："),
    "edit.faults": (
        "Nothing was saved: {n} to correct. What is wrong stands beside the field.",
        "没有保存：有 {n} 处需要改正，原因写在对应的输入框旁。",
    ),
    "edit.preview.faults": (
        "There is no preview while something above cannot be understood.",
        "上面有无法理解的内容，改正后才能预览。",
    ),
    "edit.saved": ("Saved.", "已保存。"),
    "edit.removed": ("Removed.", "已删除。"),
    "edit.remove": ("Remove", "删除"),
    "edit.waits": ("Working out the preview …", "正在计算预览……"),
    "edit.lost": (
        "The preview could not be fetched. What you typed is still here; press Preview to try again.",
        "没有取到预览。已填写的内容还在；点“预览”重试。",
    ),
    "edit.read_only": (
        "The file {file} owns this one: it is changed there, not here.",
        "它由文件 {file} 管理：请在该文件里修改，这里只能查看。",
    ),
    "edit.role": (
        "Only analysts may change it; you see it as it is.",
        "只有分析员可以修改；这里只供查看。",
    ),
    "fault.missing": ("Something has to stand here: fill it in.", "这里不能为空，请填写。"),
    "fault.too_long": ("Longer than {limit} characters: shorten it.", "超过 {limit} 个字符，请缩短。"),
    "fault.too_many": ("More than {limit} values: take some out.", "超过 {limit} 个值，请减少。"),
    "fault.at_least": ("Too small: {limit} at least.", "太小：至少为 {limit}。"),
    "fault.at_most": ("Too large: {limit} at most.", "太大：至多为 {limit}。"),
    "fault.number": ("Not a number: write digits, as 6.1.", "不是数字：请填写数字，例如 6.1。"),
    "fault.choice": ("Not one of the choices: take one from the list.", "不在可选范围内，请从列表中选择。"),
    "fault.control": (
        "It has control characters in it: type it anew instead of pasting it.",
        "含有控制字符：请重新输入，不要直接粘贴。",
    ),
    "fault.blank": (
        "There is nothing in it to look for: write a word with letters, digits or characters.",
        "里面没有可以查找的内容：请写出文字、字母或数字。",
    ),
    "fault.nothing_sought": (
        "There is nothing to look for: write a word here, under “must”, or a query.",
        "没有要查找的内容：请在这里、“必须出现”或查询式里至少写一个词。",
    ),
    "fault.met_by_nothing": (
        "It also holds for a text in which nothing occurs: say what has to occur, not only what must not.",
        "什么都不出现的文本也会符合：请写明必须出现什么，而不只是不能出现什么。",
    ),
    "fault.built_in": ("A built-in watch has this name: take another.", "内置监测已使用这个名称，请换一个。"),
    "fault.two_thresholds": (
        "It has a sensitivity and a threshold: leave one of them empty.",
        "同时设置了灵敏度和阈值：请把其中一个留空。",
    ),
    "fault.severities": (
        "The least is more than the most: swap them.",
        "最低级别高于最高级别：请对调。",
    ),
    "fault.tells_nothing": (
        "It would tell nothing: tick instant messages, or give a digest a time.",
        "它不会发送任何内容：请勾选即时通知，或设置一份摘要的时间。",
    ),
    "fault.zone": ("Not a time zone: write one as Asia/Shanghai.", "不是时区：请写成 Asia/Shanghai 这样的名称。"),
    "fault.same_hours": (
        "They begin and end at the same time: make them differ, or leave it empty.",
        "开始和结束相同：请改成不同的时间，或留空。",
    ),
    "fault.form.name": (
        "A name is letters, digits, spaces and . _ -, and begins with a letter or digit.",
        "名称只能由文字、数字、空格和 . _ - 组成，并以文字或数字开头。",
    ),
    "fault.form.quiet-hours": ("Not understood: write it as 22:30-07:00.", "无法理解：请写成 22:30-07:00。"),
    "fault.form.digest-daily": ("Not understood: write it as 09:00.", "无法理解：请写成 09:00。"),
    "fault.form.digest-weekly": ("Not understood: write it as mon 09:00.", "无法理解：请写成 mon 09:00。"),
    "fault.other": ("{cause}. Correct it here.", "请改正：{cause}"),
    "fault.taken": (
        "There is one of this name already: take another name, or edit that one.",
        "已经有同名的一项：请换一个名称，或去修改那一项。",
    ),
    "fault.owned": ("{cause}", "{cause}"),
}
