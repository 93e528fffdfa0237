"""Which font of this machine can write Chinese in a picture."""

from functools import cache
from pathlib import Path
from typing import Final

FONTS: Final = {  # the font's name, and how its file is called
    "Noto Sans CJK SC": "NotoSansCJK-Regular",
    "Noto Sans SC": "NotoSansSC",
    "Source Han Sans SC": "SourceHanSansSC-Regular",
    "Source Han Sans CN": "SourceHanSansCN-Regular",
    "PingFang SC": "PingFang",
    "Microsoft YaHei": "msyh",
    "WenQuanYi Micro Hei": "wqy-microhei",
    "WenQuanYi Zen Hei": "wqy-zenhei",
    "SimHei": "simhei",
    "Noto Sans CJK JP": "NotoSansCJK-Regular",  # the first face of the collection, where others are not found
}


@cache
def chinese_font() -> str | None:
    """The name of a font that matplotlib can take; None: there is none that we know."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    # What matplotlib knows is from when its cache was made; fonts may have come since.
    known = {font.fname for font in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known and any(Path(path).name.startswith(file) for file in FONTS.values()):
            fontManager.addfont(path)
    names = {font.name for font in fontManager.ttflist}
    return next((name for name in FONTS if name in names), None)
