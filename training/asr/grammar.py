"""Spoken numbers and a small grammar of collections talk: money, dates, times, digits, names, banks, products."""

from __future__ import annotations

import random
import re

DIGITS = "零一二三四五六七八九"
SURNAMES = ("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范"
            "方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤"
            "毕聂丛焦向柳邢路岳齐沿梅莫庄辛管祝左涂谷祁时舒耿牟卜路詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁"
            "柯阮桂闵解强柴华车冉房边辜吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇"
            "敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌银扬明沙薄伏岑习胥保和蔺")
GIVEN = ("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文辉力志永健世广义兴良海山仁波宁贵福生龙元全胜学祥才发武新利清飞彬富"
         "顺信子昌成康星光天达安岩中茂进林有坚和彪博诚先敬震振壮会思群豪心邦承乐绍功松善厚庆民友裕河哲江浩亮政谦亨奇固之轮翰朗伯宏言若鸣朋"
         "斌梁栋维启克伦翔旭鹏泽晨辰士以家致树炎德行时泰雄琛钧冠策腾楠榕风航弘雅梅琳素云莲真环雪荣爱妹香月莺媛瑞凡佳嘉琼勤珍贞莉桂娣璧璐娅"
         "琦晶妍茜秋珊莎锦黛青倩婷姣婉娴瑾颖露瑶怡婵雁蓓纨仪荷丹蓉眉君琴蕊薇菁梦岚苑婕馨瑗琰韵融园艺咏卿聪澜纯毓悦昭冰爽琬茗羽希欣飘育滢馥"
         "筠柔竹霭凝晓欢霄枫芸菲寒伊亚宜可姬舒影荔枝丽阳妮宝贝初程梵罡恒鸿桦骅剑娇纪宽苛灵玛媚琪晴容睿烁堂唯威韦雯苇萱阅彦宇雨洋忠宗曼紫逸贤"
         "蝶菡绿蓝儿翠烟小轩涵然语诺一宸浩梓俊奕铭皓煜")
BANKS = ("工商银行 建设银行 农业银行 中国银行 招商银行 交通银行 平安银行 浦发银行 光大银行 民生银行 兴业银行 广发银行 邮政储蓄银行 中信银行 华夏银行 "
         "消费金融公司 小额贷款公司 信用卡中心 北京银行 上海银行 江苏银行 宁波银行 微众银行 农村信用社 农商银行 浦联银行 锦澜银行 融资担保公司 "
         "资产管理公司 律师事务所 催收公司 客服中心 贷后管理部 风险管理部 委外机构").split()
PRODUCTS = ("信用卡 车贷 房贷 网贷 消费贷 花呗 借呗 白条 分期 小额贷款 现金贷 助学贷款 经营贷 账单 备用金 装修贷 微粒贷 个人贷款 信用贷款 抵押贷款 "
            "借款 欠款 逾期账款 最低还款 本金 利息 罚息 违约金 手续费 滞纳金").split()
DAYS = ("今天 明天 后天 昨天 前天 大后天 这个月 下个月 上个月 本月 月底 月初 下周 这周 上周 周末 星期一 星期二 星期三 星期四 星期五 星期六 星期天 "
        "周一 周二 周三 周四 周五 周六 周日 月中 年底 春节前 发工资那天").split()
KIN = ("爸爸 妈妈 父亲 母亲 老婆 老公 儿子 女儿 哥哥 弟弟 姐姐 妹妹 朋友 同事 领导 单位 家人 邻居 亲戚 爱人 舅舅 叔叔 爷爷 奶奶 联系人 担保人").split()
TITLES = "先生 女士 小姐 总 老板 经理 大哥 姐 老师 师傅 主管 律师".split()
SHORT = ("嗯 对 好 好的 喂 喂你好 您好 你好 是的 是 不是 嗯嗯 对对对 好好好 行 行吧 可以 不行 没有 有 什么 谁啊 哪位 怎么了 知道了 明白 明白了 谢谢 再见 "
         "拜拜 不用了 打错了 我不认识 没钱 我没钱 等一下 你说 说吧 什么事 啊 哦 哦哦 哎 哎呀 唉 呃 那个 就这样 先这样 听不清 听得到吗 喂喂 好的好的 好的谢谢 "
         "不好意思 没关系 对不起 稍等 请讲 我在听 嗯好 嗯对 嗯是的 是我 我是 不在 在忙 在开会 在开车 晚点说 别打了 别再打了 滚 有病吧 骗子 随便 随便你 "
         "真的吗 是吗 多少 多少钱 几号 什么时候 为什么 凭什么 哪里 哪个银行 我知道 我不知道 可能吧 应该吧 再说吧").split()
TEMPLATES = """您好请问是{title}吗|请问您是{name}本人吗|我是{bank}的工作人员工号{d4}|我这边是{bank}|您在我行的{product}已经逾期{count}天了|目前欠款一共{money}
您的{product}应还金额是{money}|最低还款额是{money}|请您在{day}{hour}之前把{money}存进去|您看{day}能还上吗|{day}能处理多少|我{day}还{money}|我{day}{hour}再还
先还{money}剩下的{day}再还|账单日是每个月{num}号|还款日是{num}号|到{month}月{num}号为止|{year}年{month}月{num}号借的|一共分{num}期|还有{num}期没有还|每期{money}
您的身份证后四位是{d4}对吗|身份证尾号是{idtail}|卡号后四位{d4}|尾号{d4}的{product}|您的手机号是{phone}吗|请拨打{phone}|我的电话是{phone}|客服热线是{service}
请您转告{name}|我找{name}|您是{name}的{kin}吗|我不是{name}|{name}是我{kin}|他现在不在|麻烦让{name}回个电话|我姓{surname}|我叫{name}|我们会联系您的{kin}
利息一共是{money}|年利率百分之{num}|违约金{money}|减免{money}|可以给您减免百分之{num}|总共欠了{money}|本金{money}利息{money}|我每个月工资只有{money}
我{day}发工资|{hour}给您回电话|您{day}{hour}方便吗|已经还了{money}|我昨天刚还了{money}|通话将被录音|为保障服务质量本次通话会录音|如果{day}还没有到账|已经逾期{num}个月""".replace("\n", "|").split("|")


def say_number(number: int, rng: random.Random) -> str:
    """Spoken form of 0 ≤ number < 10^8, 二 or 两 at random where both are said."""
    if number == 0:
        return "零"
    if number >= 10_000:
        rest = number % 10_000
        head = say_number(number // 10_000, rng)
        head = "两" if head == "二" and rng.random() < 0.7 else head
        return head + "万" + ("" if not rest else ("零" if rest < 1000 else "") + say_number(rest, rng))
    text, pending_zero = "", False
    for index, char in enumerate(str(number)):
        place = len(str(number)) - 1 - index
        if char == "0":
            pending_zero = True
            continue
        digit = DIGITS[int(char)]
        if char == "2" and place >= 2 and rng.random() < 0.7:
            digit = "两"
        if char == "1" and place == 1 and len(str(number)) == 2:
            digit = ""
        text += ("零" if pending_zero and text else "") + digit + ("", "十", "百", "千")[place]
        pending_zero = False
    return text


def say_digits(count: int, rng: random.Random) -> str:
    """`count` random digits read one by one, 1 mostly as 幺."""
    return "".join("幺" if digit == 1 and rng.random() < 0.7 else DIGITS[digit]
                   for digit in (rng.randrange(10) for _ in range(count)))


def say_money(rng: random.Random) -> str:
    """A sum of money as said in calls."""
    number = rng.choice((rng.randint(1, 99) * 100, rng.randint(1, 60) * 1000, rng.randint(10, 999),
                         rng.randint(100, 9999), rng.randint(100, 9999), rng.randint(10_000, 350_000)))
    text = say_number(number, rng)
    kind = rng.random()
    if kind < 0.12:
        return text + rng.choice(("元", "块")) + DIGITS[rng.randint(1, 9)] + rng.choice(("", "角", "毛"))
    if kind < 0.2:
        return text + "点" + say_digits(2, rng).replace("幺", "一") + rng.choice(("元", ""))
    if kind < 0.25:
        return say_number(rng.randint(1, 30), rng) + "万" + rng.choice(("块", "元", "多块", ""))
    return text + rng.choice(("元", "块", "块钱", "元钱", ""))


def say_name(rng: random.Random) -> str:
    """A surname with one or two given-name characters."""
    weight = int(len(SURNAMES) * rng.random() ** 1.7)
    return SURNAMES[weight] + "".join(rng.choice(GIVEN) for _ in range(rng.choice((1, 2, 2))))


def _slot(name: str, rng: random.Random) -> str:
    """Fill one slot of a template."""
    if name in ("d4", "phone", "idtail", "service"):
        return {"d4": lambda: say_digits(4, rng), "idtail": lambda: say_digits(3, rng) + rng.choice(("幺", "叉", "零", "八")),
                "phone": lambda: "幺" + rng.choice("三五七八九") + say_digits(9, rng),
                "service": lambda: rng.choice(("九五", "四零零", "零二幺")) + say_digits(rng.choice((3, 7)), rng)}[name]()
    if name == "hour":
        return (rng.choice(("上午", "下午", "中午", "晚上", "早上", "今晚", "明早")) + say_number(rng.randint(1, 12), rng) + "点"
                + rng.choice(("", "半", "钟", "前", "左右", "之前", "十分", "一刻", "二十", "四十五分")))
    if name == "year":
        return "二零" + DIGITS[rng.randint(1, 2)] + DIGITS[rng.randint(0, 9)]
    return {"money": lambda: say_money(rng), "name": lambda: say_name(rng), "surname": lambda: rng.choice(SURNAMES),
            "title": lambda: rng.choice(SURNAMES) + rng.choice(TITLES), "bank": lambda: rng.choice(BANKS),
            "product": lambda: rng.choice(PRODUCTS), "day": lambda: rng.choice(DAYS), "kin": lambda: rng.choice(KIN),
            "num": lambda: say_number(rng.randint(1, 31), rng), "count": lambda: say_number(rng.randint(1, 400), rng),
            "month": lambda: say_number(rng.randint(1, 12), rng)}[name]()


def sentence(rng: random.Random) -> str:
    """One random sentence of the grammar."""
    template = rng.choice(TEMPLATES)
    return re.sub(r"\{(\w+)\}", lambda match: _slot(match.group(1), rng), template)


def spoken(text: str, rng: random.Random) -> str:
    """Written digits of `text` as they would be said (years, percentages, decimals, long numbers digit by digit)."""
    text = re.sub(r"(\d{4})年", lambda m: "".join(DIGITS[int(c)] for c in m.group(1)) + "年", text)
    text = re.sub(r"(\d+)\.(\d+)", lambda m: say_number(int(m.group(1)[:8]), rng) + "点" + m.group(2), text)
    text = re.sub(r"([一-龥\d点]+)[%％]", r"百分之\1", text)

    def one(match: re.Match[str]) -> str:
        digits = match.group()
        if len(digits) >= 6 or digits[0] == "0":
            return "".join(DIGITS[int(char)] for char in digits)
        return say_number(int(digits), rng)

    return re.sub(r"\d+", one, text)
