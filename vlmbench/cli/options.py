"""What can be typed after `vlmbench`: commands, options and their help.

It imports none of the modules that carry commands out, so that help and mistakes take no time.
"""

from __future__ import annotations

from pathlib import Path

from vlmbench import __version__
from vlmbench.cli.help_text import HelpFormatter
from vlmbench.cli.language import text
from vlmbench.cli.parser import Parser
from vlmbench.cli.train_options import add_data, add_train

EPILOG = """\
'vlmbench COMMAND --help' shows a command's options and examples.

exit codes:
  0  fine
  1  regression (gate check)
  2  a mistake in usage, configuration or data, or an image that cannot be read
  3  incomplete: samples have no answer (run, judge, gate)
  4  undecided: too few samples to tell (gate check)
 70  a bug of vlmbench, with a traceback
"""


def make_parser() -> Parser:
    """The parser; `function` of what it returns names what carries the command out."""
    top = Parser(
        prog="vlmbench",
        description=text("Evaluate, train and compare vision-language models for Japanese."),
        epilog=text(EPILOG),
        formatter_class=HelpFormatter,
    )
    version = f"vlmbench {__version__}"
    shown = text("show the version and exit")
    top.add_argument("--version", action="version", version=version, help=shown)
    _add_run(top)
    _add_score(top)
    _add_import(top)
    _add_report(top)
    _add_view(top)
    _add_compare(top)
    _add_export(top)
    _add_gate(top)
    _add_judge(top)
    add_train(top)
    add_data(top)
    _add_tasks(top)
    _add_models(top)
    _add_metrics(top)
    top.command(
        "doctor", "show what this machine can run, and what is missing", "doctor.doctor_command"
    ).share("json")
    demo = top.command(
        "demo", "run, train, gate and report on the embedded tasks, offline", "demo.demo_command"
    )
    demo.option("--out DIR", "directory of all it makes; default: demo", default=Path("demo"))
    return top


def _add_run(top: Parser) -> None:
    run = top.command(
        "run",
        "run models on tasks and score their answers",
        "run.run_command",
        "vlmbench run --model tiny-ja --tasks ja-vqa",
        "vlmbench run --model hf:org/name@revision --tasks ja-vqa,ja-chart --limit 50",
        "vlmbench run --model ./checkpoints/mine --tasks my-task.yaml",
        "vlmbench run --model ./base --adapter ./lora --name base-lora --tasks ja-vqa",
        "vlmbench run --model openai:NAME --base-url http://gpu7:8000/v1 --tasks ja-core",
    )
    run.usage = "vlmbench run --model NAMES --tasks NAMES [OPTION ...]"
    run.option(
        "--model NAMES",
        "alias ('vlmbench models list'), hf:org/name, checkpoint directory, baseline:KIND, "
        "openai:NAME or served:SERVER:MODEL; several with commas",
        required=True,
    )
    run.option(
        "--tasks NAMES",
        "tasks, groups of tasks ('vlmbench tasks list') or task files; several with commas",
        required=True,
    )
    run.option(
        "--name NAMES",
        "what the model is called in results, to keep two settings of one model apart; for "
        "several models as many names, with commas",
    )
    run.option("--out DIR", "directory of runs; default: runs", default=Path("runs"))
    run.option("--limit N", "run only N samples of each task, drawn evenly over subsets and slices")
    run.option("--max-errors COUNT", "stop when more than COUNT samples fail")
    run.option("--fresh", "drop the answers that are in --out already")
    run.option(
        "--sequential",
        "stop a task as soon as its verdict against --baseline is safe; exit code as of gate check",
    )
    run.option("--baseline FILE", "made by 'gate save', for --sequential")
    run.option("--rules FILE", "YAML with margins, for --sequential (docs/gate.md)")
    run.option(
        "--keep-images", "store each image once in DIR/images, so that reports need no data set"
    )
    run.share("slices", "data-dir", "seed", "json", "quiet")
    run.option(
        "--image-order ORDER",
        "marked: images stand where question and options mark them; reference: all before the "
        "text, as in llm-jp-eval-mm; default: what the task says",
        choices=["marked", "reference"],
    )
    run.section("execution")
    run.option("--batch-size N|auto", "samples a batch; default: auto, as many as fit")
    run.option("--replicas N|auto", "copies of the model; default: auto, one a GPU or CPU core")
    run.option("--executor NAME", "local or ray; default: local", default="local")
    run.option("--ray-address ADDRESS", "address of a running Ray cluster")
    run.option("--no-cache", "generate answers that the cache holds already")
    run.section("diagnostics: also run variants of each task (docs/diagnostics.md)")
    run.option(
        "--image-mode NAMES", "blind (no image), shuffled (another sample's) or noise, or several"
    )
    run.option("--prompts COUNT", "COUNT paraphrases of the prompt; default: 0", default=0)
    run.option(
        "--options rotate",
        "every rotation of the multiple-choice options",
        dest="option_order",
        choices=["rotate"],
    )
    _add_model_options(run)
    _add_judge_options(run)
    run.set_defaults(samples=1, temperature=None, judge_tokens=1024)


def _add_model_options(parser: Parser) -> None:
    parser.section("model options")
    parser.option("--dtype NAME", "float32, bfloat16, float16; default: auto", default="auto")
    parser.option("--device NAME", "cuda, mps or cpu; default: auto", default="auto")
    parser.option("--device-map auto", "one copy of the model, spread over all GPUs")
    parser.option("--attention NAME", "sdpa, eager, flash_attention_2 ...")
    parser.option("--quantization BITS", "4bit or 8bit, with bitsandbytes")
    parser.option("--adapter PATH", "directory of a LoRA adapter for the model")
    parser.option("--min-pixels N", "enlarge images of fewer pixels")
    parser.option("--max-pixels N", "shrink images of more pixels")
    parser.option("--system TEXT", "a system prompt, put before the task's own")
    parser.option(
        "--generation KEY=VALUE",
        "a setting that the task leaves open: top_p, repetition_penalty, num_beams ...",
        default=None,
    )
    parser.option(
        "--trust-remote-code",
        "run the Python code of the model's repository, with your rights",
        default=None,
    )
    parser.option(
        "--base-url URL", "server of openai:NAME; default: $OPENAI_BASE_URL, or OpenAI's own"
    )
    parser.option(
        "--api-key-env VARIABLE", "variable with the key of openai:NAME; default: OPENAI_API_KEY"
    )
    parser.option("--server-args 'ARGS'", "further arguments of the server of served:SERVER:MODEL")
    parser.option("--model-option KEY=VALUE", "any other, in YAML; docs/servers.md lists them")


def _add_judge_options(parser: Parser, *, required: bool = False) -> None:
    parser.section("judge options")
    parser.option(
        "--judge MODEL",
        "the model that grades answers: any that 'run --model' takes, such as openai:NAME",
        required=required,
    )
    parser.option("--judge-name NAME", "in results, to keep two settings of one model apart")
    parser.option("--judge-base-url URL", "server of openai:NAME")
    parser.option("--judge-api-key-env VARIABLE", "environment variable with its key")
    parser.option("--judge-option KEY=VALUE", "any other, in YAML; docs/servers.md lists them")
    parser.option(
        "--judge-text-form",
        "describe the form of the reply in the prompt only, for servers that refuse a schema",
    )
    images = "--images" if required else "--judge-images"
    parser.option(images, "show the judge the question's images too", dest="judge_images")


def _add_score(top: Parser) -> None:
    score = top.command(
        "score",
        "compute the scores of runs again, without a model",
        "run.score_command",
        "vlmbench score runs",
        "vlmbench score runs --metrics overlap.rouge_l",
    )
    score.share("runs", "slices", "json")
    score.option(
        "--metrics NAMES", "in addition to the task's own ('vlmbench metrics list'), with commas"
    )
    score.option("--option KEY=VALUE", "an option of those metrics ('vlmbench metrics show NAME')")


def _add_import(top: Parser) -> None:
    imports = top.command(
        "import",
        "make a run of answers that another harness has on file",
        "imports.import_command",
        "vlmbench import llm-jp-eval-mm result/jmmmu/org/name --task jmmmu --name name",
        "vlmbench import lmms-eval 20260101_samples_chartqa.jsonl --task chartqa --name mine",
        "vlmbench import jsonl answers.jsonl --task my-task.yaml --name last-spring",
    )
    formats = ["llm-jp-eval-mm", "lmms-eval", "vlmevalkit", "simple-evals-mm", "jsonl"]
    imports.option("FORMAT", f"{', '.join(formats)} (docs/imports.md)", choices=formats)
    imports.option("FILES", "files of predictions, or the folder that holds them", nargs="+")
    imports.option("--task TASK", "the task they are for, or its file", required=True)
    imports.option("--name NAME", "what the model is called in results", required=True)
    imports.option("--out DIR", "directory of runs; default: runs", default=Path("runs"))
    imports.option("--harness-version VERSION", "of the harness, where its files do not say")
    imports.option("--fresh", "drop what --out holds of this model and task")
    imports.share("data-dir", "json")


def _add_report(top: Parser) -> None:
    report = top.command(
        "report",
        "build an HTML leaderboard of runs",
        "compare.report_command",
        "vlmbench report runs --out report",
    )
    report.share("runs")
    report.option("--out DIR", "directory of the site; default: report", default=Path("report"))
    report.option("--samples N", "show N samples a task; default: all")
    report.option("--open", "open it in the browser")


def _add_view(top: Parser) -> None:
    view = top.command(
        "view",
        "serve the leaderboard on 127.0.0.1; it refreshes while runs go on",
        "compare.view_command",
        "vlmbench view runs",
    )
    view.share("runs")
    view.option("--port N", "default: a free one", default=0)
    view.option("--no-open", "do not open the browser")


def _add_compare(top: Parser) -> None:
    compare = top.command(
        "compare",
        "compare models on the same samples, or with published scores",
        "compare.compare_command",
        "vlmbench compare runs/base runs/tuned",
        "vlmbench compare runs --published --tasks jmmmu",
    )
    compare.share("runs", "json")
    compare.option("--published", "with scores that others published, where these compare")
    compare.option("--tasks NAMES", "with --published: only these tasks or groups of tasks")
    compare.option("--all", "with --published: all scores, and those that do not compare")


def _add_export(top: Parser) -> None:
    export = top.command(
        "export",
        "print the results of runs for other programs, papers or a model's page",
        "export.export_command",
        "vlmbench export runs --format csv -o results.csv",
        "vlmbench export runs --format markdown",
        "vlmbench export runs/tiny-ja --format model-index",
    )
    export.share("runs")
    export.option(
        "--format NAME",
        "csv or json: every estimate; latex or markdown: a table of headline metrics; "
        "model-index: the block that the Hub shows on a model's page",
        choices=["csv", "json", "latex", "markdown", "model-index"],
        required=True,
    )
    export.option("-o/--output FILE", "write there instead")


def _add_gate(top: Parser) -> None:
    gate = top.command("gate", "compare runs with a saved baseline, for CI")
    gate.moved = "the gate is 'vlmbench gate check RUNS --baseline FILE'"
    save = gate.command(
        "save",
        "save the scores and answers of one model's runs as a baseline",
        "gate.gate_save_command",
        "vlmbench gate save runs/tiny-ja -o baseline.json",
        "vlmbench gate save runs/mine -o baseline.json --repeats again-1/mine again-2/mine",
    )
    save.share("runs")
    save.option("-o/--output FILE", "JSON file to write", required=True)
    save.option(
        "--repeats RUNS",
        "further runs of the same model, for how much speed and memory differ from run to run",
        default=[],
    )
    check = gate.command(
        "check",
        "compare one model's runs with a baseline, sample by sample",
        "gate.gate_check_command",
        "vlmbench gate check runs/new --baseline baseline.json",
        "vlmbench gate check runs/new --baseline baseline.json --rules gate.yaml --junit gate.xml",
    )
    check.share("runs", "json")
    check.option("--baseline FILE", "made by 'gate save'", required=True)
    check.option("--rules FILE", "YAML with margins and what is gated (docs/gate.md)")
    check.option(
        "--margin SHARE",
        "tolerated drop, as a share of a metric's range, or of the baseline's value where it has "
        "no practical range; default: 0.02, or 0.05 of the value",
    )
    check.option(
        "--undecided CODE",
        "what to do where too few samples were run to tell: pass, fail or exit code 4; default: 4",
        choices=["pass", "fail", "4"],
    )
    check.option("--markdown FILE", "write the report as Markdown, for a pull request comment")
    check.option("--junit FILE", "write it as JUnit XML, for a CI server")
    check.option("--github", "print GitHub annotations, and append to $GITHUB_STEP_SUMMARY")
    for command in (save, check):
        command.option(
            "--max-missing SHARE",
            "tolerated share of samples without an answer, counted as the worst; default: 0",
        )
    power = gate.command(
        "power",
        "say how many samples it takes to see a difference",
        "gate.gate_power_command",
        "vlmbench gate power --tasks ja-vqa --effect 0.02",
        "vlmbench gate power --tasks ja-caption --effect 0.1 --pilot runs/base runs/tuned",
    )
    power.option("--tasks NAMES", "tasks, groups of tasks or task files", required=True)
    power.option(
        "--effect D",
        "difference to be seen, in the unit of each metric, such as 0.02",
        type=float,
        required=True,
    )
    power.option("--pilot RUNS", "runs of one model or two, for how much they differ", default=[])
    power.share("data-dir", "json")


def _add_judge(top: Parser) -> None:
    judge = top.command("judge", "let a model grade answers, and see how far it can be trusted")
    judge.moved = "answers are graded by 'vlmbench judge run RUNS --judge MODEL'"
    run = judge.command(
        "run",
        "let a model grade the answers of runs",
        "judge.judge_run_command",
        "vlmbench judge run runs --judge openai:NAME --metrics judge.correct",
        "vlmbench judge run runs/a --judge ./checkpoints/judge --samples 5 --verbosity",
    )
    run.share("runs")
    run.option("--metrics NAMES", "judge.rubric, judge.correct ...; default: those of the task")
    run.option("--verbosity", "print the correlation of scores with the length of answers too")
    pair = judge.command(
        "pairwise",
        "let a model choose the better answers of two runs",
        "judge.judge_pairwise_command",
        "vlmbench judge pairwise runs/a/ja-vqa runs/b/ja-vqa --judge openai:NAME",
    )
    pair.option("RUN_A", "run directory of a task", type=Path)
    pair.option("RUN_B", "another of the same task", type=Path)
    pair.option("-o/--output FILE", "where the result goes; default: in RUN_A")
    for command in (run, pair):
        command.option("--samples N", "replies to each prompt; default: 1", default=1)
        command.option("--temperature T", "0 to 2; default: 0, or 0.7 with --samples")
        command.option("--judge-tokens N", "longest reply; default: 1024 tokens", default=1024)
        command.option("--batch-size N", "prompts a batch; default: as many as fit")
        command.option("--fresh", "drop the judge's earlier replies")
        command.option("--no-cache", "generate replies that the cache holds already")
        command.share("seed", "json", "quiet")
        _add_judge_options(command, required=True)
        command.set_defaults(executor="local", ray_address=None, replicas=1)
    agreement = judge.command(
        "agreement",
        "compare labels: a judge's, people's, another judge's",
        "judge.judge_agreement_command",
        "vlmbench judge agreement runs/a/ja-vqa/judge-NAME.jsonl people.jsonl",
    )
    agreement.option("FILE_A", "lines of {id, label}, or judge-NAME.jsonl", type=Path)
    agreement.option("FILE_B", "the same", type=Path)
    agreement.option("--metric NAME", "which one, where a judge's file holds several")
    agreement.option(
        "--level SCALE",
        "of the labels: nominal, ordinal or interval; default: ordinal if all are numbers",
        choices=("nominal", "ordinal", "interval"),
    )
    agreement.option("-o/--output FILE", "where the result goes; default: in the judge's run")
    agreement.share("seed", "json")


def _add_tasks(top: Parser) -> None:
    tasks = top.command("tasks", "list, show, make, check, preview, prepare and pin tasks")
    listing = tasks.command("list", "list tasks and groups of tasks", "catalog.tasks_list_command")
    show = tasks.command(
        "show",
        "show a task's card: contents, chance level, flaws, sources",
        "catalog.tasks_show_command",
        "vlmbench tasks show ja-vqa",
    )
    new = tasks.command(
        "new",
        "write a first task file from the columns of your data",
        "task_check.tasks_new_command",
        "vlmbench tasks new shop-vqa --data data/shop.parquet",
        "vlmbench tasks new shop-vqa --data photos",
        "vlmbench tasks new shop-vqa --data org/name --split validation",
    )
    new.option("NAME", "of the task: small letters, digits, '-', '_' and '.'")
    new.option(
        "--data DATA",
        ".parquet, .jsonl or .csv file, folder of images with a .csv, folder of a data set, or "
        "org/name of the Hub",
        required=True,
    )
    new.option("--split NAME", "of a data set with several; on the Hub: test")
    new.share("json")
    check = tasks.command(
        "check",
        "check data, images, prompts and examples, without a model",
        "task_check.tasks_check_command",
        "vlmbench tasks check my-task.yaml",
    )
    preview = tasks.command(
        "preview",
        "show a sample as the model gets it",
        "task_check.tasks_preview_command",
        "vlmbench tasks preview ja-vqa",
        "vlmbench tasks preview my-task.yaml --id q7",
    )
    prepare = tasks.command(
        "prepare",
        "convert files fetched by hand, or download from the Hub",
        "catalog.tasks_prepare_command",
        "vlmbench tasks prepare jdocqa --data-dir data",
        "vlmbench tasks prepare jmmmu --data-dir data --download",
    )
    pin = tasks.command(
        "pin",
        "write the commit of a task's Hub data set into its file",
        "catalog.tasks_pin_command",
        "vlmbench tasks pin jmmmu",
    )
    pin.option("NAME", "tasks, groups of tasks or task files; several with commas")
    pin.share("json")
    for command in (listing, show, check, preview, prepare):
        command.share("data-dir", "json")
    for command in (preview, prepare):
        command.option("NAME", "a task, or a task file")
    show.option("NAME", "a task, a group of tasks, or a task file")
    check.option("NAME", "tasks, groups of tasks or task files; several with commas")
    preview.option("--id ID", "the sample's; default: the first one")
    prepare.option("--download", "save the rows of the Hub in --data-dir")


def _add_models(top: Parser) -> None:
    models = top.command("models", "list and show models")
    listing = models.command(
        "list", "list the models with a short name", "catalog.models_list_command"
    )
    show = models.command(
        "show",
        "show how a model will be loaded: runner, class, device, dtype",
        "catalog.models_show_command",
        "vlmbench models show qwen2-vl-2b --dtype bfloat16",
    )
    show.option("NAME", "any model that 'run --model' takes")
    for command in (listing, show):
        command.share("json")
    _add_model_options(show)


def _add_metrics(top: Parser) -> None:
    metrics = top.command("metrics", "list and show metrics, score a file of predictions")
    listing = metrics.command("list", "list metrics by family", "catalog.metrics_list_command")
    show = metrics.command(
        "show",
        "show a metric's definition, range, options and signature",
        "catalog.metrics_show_command",
        "vlmbench metrics show match.relaxed",
    )
    score = metrics.command(
        "score",
        "score a file of predictions that any program made",
        "catalog.metrics_score_command",
        "vlmbench metrics score match.relaxed FILE --option tolerance=0.1",
    )
    for command in (listing, show, score):
        command.share("json")
    for command in (show, score):
        command.option("NAME", "a metric of 'vlmbench metrics list'")
    score.option(
        "FILE", "JSON Lines {id, prediction, references, choices?, images?}; - for standard input"
    )
    score.option("--option KEY=VALUE", "an option of the metric ('vlmbench metrics show NAME')")
