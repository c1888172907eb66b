"""Words and characters of daily use that tell one language from its neighbours."""

from __future__ import annotations

import re

# Characters that written Mandarin does without, and words of the same kind.
CANTONESE = re.compile(
    "[嘅咗喺唔啲佢冇嗰咁嚟哋嘢咩諗俾畀噉嗮嗌攞揾搵嘥嚿冚噃喎囉㗎啱嬲瞓孭揸掟嘞嗱]"
    "|係咪|點解|點樣|邊個|邊度|而家|睇下|幾時|乜嘢|聽日|尋日|琴日|返工"
)
MALAY = frozenset(
    """
    yang dan untuk dengan tidak tak saya ini itu adalah ialah dalam akan pada apa apakah bagaimana
    boleh bisa kamu anda aku kami kita mereka dia dari daripada kepada juga sudah telah belum buat
    tolong mana atau karena kerana jangan bukan sebuah seorang ada oleh seperti lebih paling agar
    supaya jika kalau ketika saat setiap semua satu dua tiga empat lima berapa mengapa kenapa
    siapa bila kapan dimana terima kasih sila silakan jelaskan tulis tuliskan buatkan berikan
    terjemahkan ringkaskan cara antara serta dapat harus mesti perlu sangat sekali nak awak encik
    puan hari orang tahun baru lagi masih hanya sahaja saja tersebut tentang mengenai terhadap
    bagi para
    """.split()
)
ENGLISH = frozenset(
    """
    the of and to in is that for it with as was on are be this by from or an at not have has which
    you your what how can will would should could write explain please give me my we they if when
    where why who do does did a i there their then than into about one all make use using
    following between each any some more most other out up no so but
    """.split()
)
