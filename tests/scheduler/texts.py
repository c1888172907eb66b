"""Chinese, English and code, cut into requests of any length."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
REQUEST_BYTES_MIN, REQUEST_BYTES_MAX = 50, 50_000

CHINESE = """\
昨天下午的会议推迟到了星期五上午十点，地点改在三楼的小会议室，请大家带上各自的预算表。
这台服务器有八张显卡，每张显存141 GB，平均利用率只有百分之三十七，夜里几乎没有人用。
如果队列里的请求超过一百个，系统就会把最便宜的那一部分转给外部供应商，并且记录原因。
李老师说，写文章最难的不是开头，而是知道什么时候该停下来。
“你为什么不早一点告诉我？”她放下手里的杯子，声音很轻，却谁都听得见。
本合同自双方签字盖章之日起生效，有效期为两年；任何一方可提前三十天书面通知对方解除合同。
请检查以下Python代码：函数parse_config在文件不存在时没有抛出异常，而是返回了None。
秋天的山路上落满了叶子，踩上去沙沙作响，远处的村庄升起了几缕炊烟。
患者自述头痛三天，伴有低热（37.8℃），无咳嗽、无恶心，既往体健，对青霉素过敏。
把土豆切成细丝，用清水泡十分钟，沥干以后大火快炒，最后加一勺醋和少许盐。
根据2023年的统计，全市常住人口约为1,284.6万人，比上一年增加了2.1%。
这个算法的时间复杂度是O(n log n)，但是当数据几乎有序的时候，插入排序反而更快。
我们公司成立于一九九八年，主要生产工业用的传感器，产品销往二十多个国家和地区。
小狗在门口等了整整一天，直到天黑才听见熟悉的脚步声。
您好，我上周买的耳机左边没有声音了，订单号是A20240917，可以换一个新的吗？
量子力学告诉我们，在测量之前，粒子并没有确定的位置，只有出现在各处的概率。
老板让我把这份报告翻译成英文，重点是第二章的市场分析和第四章的风险提示。
地铁二号线因信号故障晚点约十五分钟，请乘客们耐心等候，或者改乘地面公交。
他从小就喜欢拆东西：收音机、闹钟、自行车，没有一样能逃过他的手。
接口返回状态码429的时候，客户端应当读取Retry-After字段，等待之后再重试，而不是立刻重发。
历史书上只写了谁赢得了战争，却很少写那年冬天粮食的价格。
用户可以在“设置”里关闭自动续费；关闭之后，会员资格保留到当前周期结束为止。
春节前后火车票最难买，很多人半夜守在电脑前，只为了抢到一张回家的硬座。
混合专家模型每次只激活一小部分参数，因此计算量不大，但是显存必须装得下全部专家。
这幅画的颜色非常大胆，近看只是一堆杂乱的笔触，退后几步才看得出是一片海。
温馨提示：请妥善保管随身物品，切勿将贵重物品交给陌生人看管，如有疑问请联系工作人员。
经济学家认为，短期内利率仍将保持在较高水平，企业的融资成本不会明显下降。
“学而时习之，不亦说乎？”这句话他背了几十年，退休以后才觉得自己真正懂了。
程序启动以后先读取环境变量，再加载配置文件，最后连接数据库；任何一步失败都会退出。
奶奶的菜园里种着黄瓜、茄子和辣椒，每到夏天，邻居们都会来摘上一篮子。
从地图上看，这条河自西向东流过三个省，全长约一千二百公里，最后注入大海。
编译错误：第42行缺少分号；第57行变量total未定义；第103行类型不匹配，应为int。
"""


def readable(pattern: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob(pattern))]


def chinese() -> list[str]:
    return CHINESE.splitlines(keepends=True)


def english() -> list[str]:
    pages = [*readable("README.md"), *readable("LICENSE")]
    return [paragraph for page in pages for paragraph in page.split("\n\n") if len(paragraph) > 80]


def code() -> list[str]:
    sources = [*readable("models/*.py"), *readable("runtime/**/*.py"), *readable("cluster/*.py")]
    return [part for source in sources for part in source.split("\n\n\n")]


def halves(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """What a tokenizer may be trained on, and what it has not seen."""
    return list(texts[::2]), list(texts[1::2])


def request(random: Random, languages: Sequence[Sequence[str]]) -> str:
    """One language or a few of them, in pieces of about their own length, of some size."""
    low, high = log(REQUEST_BYTES_MIN), log(REQUEST_BYTES_MAX)
    size = int(exp(random.uniform(low, high)))
    chosen = random.sample(languages, random.choice((1, 1, 2, len(languages))))
    pieces: list[str] = []
    left = size
    while left > 0:
        piece = random.choice(random.choice(chosen)).encode()[:left].decode(errors="ignore")
        pieces.append(piece)
        left -= max(1, len(piece.encode()))
    return "\n".join(pieces)
