"""Messages to people, in English and Chinese."""

import locale
import os

from infra.settings import Settings

MESSAGES: dict[str, tuple[str, str]] = {
    "demo.title": ("Suyuan demo", "溯源演示"),
    "demo.stage.stack": ("start Prefect, MLflow and a worker", "启动 Prefect、MLflow 和工作进程"),
    "demo.stage.ingest": ("ingest the installed Python packages", "采集已安装的 Python 包"),
    "demo.stage.features": ("extract features in parallel", "并行提取特征"),
    "demo.stage.index": ("build and publish the index", "构建并发布索引"),
    "demo.stage.answer": ("answer a question", "回答问题"),
    "demo.stage.verify": ("prove the citations", "验证引文"),
    "demo.timing": ("Time per stage", "各阶段用时"),
    "demo.verified": (
        "{n} citations proven byte for byte against the original documents",
        "{n} 条引文已与原始文档逐字节核对",
    ),
    "demo.further": ("Look further", "继续查看"),
    "demo.more.ask": ("ask something else", "再问一个问题"),
    "demo.more.why": ("from the answer to its sources", "从答案追溯到来源"),
    "demo.more.verify": ("check every stored byte", "检查每一个已存储的字节"),
    "demo.more.down": ("stop the servers", "停止服务"),
    "demo.more.deployment": (
        "the same flow through the worker",
        "同一个流程，交给工作进程",
    ),
    "stack.shell": (
        "lets `prefect` and `mlflow` in this shell find the servers",
        "让本终端中的 `prefect` 和 `mlflow` 找到这些服务",
    ),
    "seconds": ("s", "秒"),
}


def language(settings: Settings) -> str:
    """Choose "en" or "zh": SUYUAN_LANG first, then the locale of the terminal."""
    if settings.lang:
        return settings.lang
    named = os.environ.get("LC_ALL") or os.environ.get("LANG") or locale.getlocale()[0] or ""
    return "zh" if named.lower().startswith("zh") else "en"


def say(key: str, lang: str, **facts: object) -> str:
    """Return the message in the language, with the facts filled in."""
    english, chinese = MESSAGES[key]
    return (chinese if lang == "zh" else english).format(**facts)
