"""The errors that are met most, as the catalog has them: a name in braces for what differs.

Of several that fit a message, the one with the most words of its own counts.
"""

from __future__ import annotations

ERRORS = (
    "The Hugging Face Hub can't be reached ({reason}), so {what} cannot be loaded; {step}.",
    "HF_HUB_OFFLINE is set",
    "download it elsewhere and give its folder with --data",
    "The task's {changes} changed since {path} was begun; its {count} answers are kept and scored "
    "anew.",
    "The dictionary {name} is not installed; run pip install {package}",
    "{metric} of {task} is left out: {reason}; then 'vlmbench score RUNS' adds it.",
    "The reference {reference} of {what} names none of its {count} options ({letters}); correct "
    "it or the options.",
    "{list} under '{key}' of {what} is a list that is written as one text; write '{form}' for "
    "its elements.",
    "The reference {reference} of {what} is how pandas writes a missing value; write the answer "
    "or leave the row out.",
    "sample '{id}' of task '{task}'",
    "'fields.id' of the task is '{id}' in every row of {place}; write {expression} with the name "
    "of a column, or {index}.",
    "{message} {count} {more} like this.",
    "'{key}' of the task says the word '{word}' in every sample, and '{name}' is a column; write "
    "{expression} for what it holds.",
    "give hf:org/name",
    "write '{model}' for a model of the Hub",
    "choose another directory with --out",
    "give this one a name of its own with --name",
    "other fields of the task",
    "other data",
    "another {kind}",
    "{path} holds answers for {what} ({difference}); {advice}, or drop them with --fresh.",
    "pass the directory of a downloaded checkpoint, as in '--model ./dir'",
    "Unknown sample of {task}: '{name}'. {step}",
    "Unknown sample of {task}: '{name}'. Did you mean {near}? {step}",
    "Unknown option of {metric}: '{name}'. {step}",
    "Unknown option of {metric}: '{name}'. Did you mean {near}? {step}",
    "There is no directory {path}; give the output directory of 'vlmbench run'.",
    "There is no directory '{path}'; give the path of a checkpoint directory.",
    "There is no run in {path}; make one with 'vlmbench run --out {out} ...'.",
    "There is no task file {path}; check the path.",
    "There is no recipe file {path}; check the path.",
    "There is no file {path}; check the path.",
    "There is no file or folder {path}; check the path.",
    "Unknown {kind} '{name}'. Did you mean {near}? {step}",
    "Unknown {kind} '{name}'. {step}",
    "Unknown key '{key}' in {place}; did you mean {near}?",
    "Unknown key '{key}' in {place}; the keys here are {known}.",
    "The key '{key}' is missing in {place}; add it.",
    "The value of '{key}' in {place} is wrong: {reason}.",
    "{count} things to correct in {place}:",
    "{path} is not valid YAML at line {line} ({reason}); correct it.",
    "There is no column '{column}' in {place}; did you mean {near}?",
    "The id '{id}' stands twice in {place}, the second time in row {row}; make ids unique.",
    "There are no rows in {place}; check the data of task '{task}'.",
    "There is no reference answer in {place}; add one or leave the row out.",
    "The Hugging Face Hub can't be reached, so {what} cannot be loaded; {step}.",
    "{model} has no answer to {missing} of {total} samples of {task}, so its scores are "
    "incomplete (first reason: {reason}); correct that and run the same command, which retries "
    "only those.",
    "Another run is writing {path}; wait for it, or choose another directory with --out.",
    "The dictionary {name} is not installed; run pip install {what}.",
    "there is no command {name} (did you mean {near}?); see '{command} --help'.",
    "there is no command {name}; see '{command} --help'.",
    "there is no command {name} (did you mean {near}?); {advice}; see '{command} --help'.",
    "there is no command {name}; {advice}; see '{command} --help'.",
    "the gate is 'vlmbench gate check RUNS --baseline FILE'",
    "answers are graded by 'vlmbench judge run RUNS --judge MODEL'",
    "a model is trained by 'vlmbench train run RECIPE'",
    "there is no option {name} (did you mean {near}?); see '{command} --help'.",
    "there is no option {name}; see '{command} --help'.",
    "there is no option {name} (did you mean {near}?); {advice}; see '{command} --help'.",
    "there is no option {name}; {advice}; see '{command} --help'.",
    "the following arguments are required: {names}; see '{command} --help'.",
    "Stopped; the same command continues from here.",
    "See '{command}'.",
    "Give the path of a YAML file.",
    "'{value}' is not a whole number from {low} up",
    "'{value}' is not a number from 0 to 2",
    "'{value}' is not a share from 0 to 1",
    "unexpected argument '{name}'",
    "{option} names nothing ('{value}')",
    "{path} cannot be read ({reason}); check the path.",
    "{path} cannot be written ({reason}).",
    "{path} cannot be written ({reason}); make room or permission there, or choose another "
    "directory.",
    "{path} is not UTF-8 text; save it as UTF-8.",
    "{path} does not hold a task; it needs keys such as 'name' and 'data'.",
    "{path} is there already; choose another name, or take it away.",
    "'{name}' cannot be the name of a task; use small letters, digits, '-', '_' and '.'.",
    "No column looks like an answer among {names}; call one 'answer'.",
    "'{name}' is no .parquet, .jsonl or .csv file, no folder and no org/name of the Hub; give "
    "one of these.",
    "{folder} holds the splits {splits}; say which one with '--split'.",
    "There is no data file {path}; check 'data.path' of task '{task}'.",
    "The data file {path} cannot be read ({reason}); replace it.",
    "The data file {path} is neither .parquet nor .jsonl; convert it to one of them.",
    "The data of task '{task}' must be fetched by hand: {what} Then name its directory with "
    "'--data-dir'.",
    "There is no directory {path}; check '--data-dir'.",
    "The image in {place} cannot be read ({reason}); replace it or leave the sample out.",
    "The image name '{name}' in {place} leads out of the folder {folder}; keep images beside "
    "the data file.",
    "The template {shown} fails at {place} ({reason}); {advice} in the task file.",
    "There is no config.json in {folder}; {advice}.",
    "There are no weights in {folder}; restore its *.safetensors files.",
    "The adapter {folder} was trained on '{base}', which is not here; give that model's "
    "directory with --model, and --adapter {again}.",
    "'--name' has {names} names for {models} models; give one for each, with commas between them.",
    "Two of the models are called '{name}' in results; give each a name of its own with --name "
    "A,B.",
    "This machine has no usable '{name}' device; try '--device auto'.",
    "There is no key for {url} in {variable}; set that environment variable, or name another "
    "one with --api-key-env.",
    "No server answers at {url} ({reason}); start it, or correct --base-url.",
    "{model} failed on {count} samples, more than --max-errors allows (the last reason: "
    "{reason}); correct that and run the same command: answers that are there stay.",
    "The processes of the model {name} keep ending ({reason}); try a smaller --batch-size or "
    "fewer --replicas. Answers that were given are kept.",
    "The run in {path} was stopped before its first answer, so there is nothing to score; run "
    "the same 'vlmbench run' again.",
    "{path} cannot be read ({reason}); derive it again with 'vlmbench score {run}'.",
    "{path} is damaged at line {line}; derive it again with 'vlmbench score {run}'.",
    "The journal {path} is empty; run the model on the task again.",
    "There is one model only ({names}) in {paths}; give the runs of two.",
    "The runs are of several models ({names}); give the directory of one, such as {example}.",
    "There are two runs of task '{task}', {one} and {other}; give one of them.",
    "The run of {model} on {task} has {answered} of {total} answers and cannot be a baseline; "
    "finish it with 'vlmbench run' first, or tolerate a share of failures with --max-missing.",
    "The field '{field}' of task '{task}' differs between the run and {file} ({detail}), so "
    "their scores do not compare; run the baseline's model again and save a new baseline.",
    "--sequential needs --baseline FILE, made by 'vlmbench gate save'.",
    "No metric of task '{task}' needs a judge; name one, as in 'vlmbench judge run RUNS "
    "--judge MODEL --metrics judge.correct'.",
    "'{name}' reads a judge's replies, not answers; ask one with 'vlmbench judge run RUNS "
    "--judge MODEL --metrics {metric}'.",
    "'--option' needs '--metrics' to say which metrics it is for.",
    "'tasks prepare' needs to know where; add '--data-dir DIR'.",
    "Line {line} of {path} has no '{field}' but {fields}; give a file of this format "
    "('vlmbench import --help').",
    "There is no {pattern} below {path}; give the files themselves.",
    "{path} is a file; give a directory for the report with --out.",
    "{path} was not made by vlmbench and would be overwritten; choose another directory with "
    "--out.",
    "Port {port} of {host} cannot be used ({reason}); choose another --port.",
    "{name} needs a package that is not installed ({reason}); install it with pip.",
    "{path} holds a model already; choose another directory with --out.",
    "{path} holds a training that is not finished; add --resume to go on with it, or choose "
    "another directory with --out.",
    "There is no checkpoint to resume from in {path}; leave out --resume.",
    "There is no file or folder {path}; check the path of the data.",
    "There are Parquet files in {path}; name an empty folder.",
    "The data set '{name}' has no split '{split}'; there are: {known}.",
    "argument {option}: {message}",
    "See '{command}', or give the path of a YAML file.",
    "See '{command}', {step}, or give a checkpoint directory.",
    "Use {known}.",
    "Its options are {known}.",
    "It has none.",
    "Check '{option}'.",
    "The layouts are {known}.",
    "List the field under 'fields: meta:' of the task.",
    "data set '{name}'",
    "model '{name}'",
    "download it elsewhere and put it as {file} into a directory that '--data-dir' names",
    "download it elsewhere and name its folder",
    "give the directory of a downloaded one",
    "save it again with 'vlmbench gate save RUNS -o FILE'",
    "The baseline {file} cannot be read ({reason}); check the path, or {advice}.",
    "The baseline {file} has schema version {there} where this vlmbench reads {here}; {advice}.",
    "The {what} is gated; accept its licence on the Hub and log in with 'hf auth login'.",
    "The {what} has no such revision on the Hub; check 'revision'.",
    "The Hub has no {what} that you may read; check its name.",
    "give a checkpoint inside it, such as {path}",
    "give the directory of a checkpoint as 'save_pretrained' or 'vlmbench train run' writes it",
    "The data file {path} cannot be read ({reason}); check the path.",
    "There is no column '{column}' in {place}; the columns there are {known}.",
    "Line {line} of {path} is not {form}; correct it.",
    "Task '{task}' does not read the Hub, so there is no commit to pin.",
    "The Hub does not say which commit of {name} is the newest; try again where it can be reached.",
    "{path} holds the replies of a judge of the same name with another model or other "
    "settings; give this one a name of its own with --judge-name, or drop those with --fresh.",
    "{first} and {second} are not of the same questions (another {field}); give two runs of "
    "one task.",
    "{message}; see '{command} --help'.",
)

WORDS = (
    "task",
    "model",
    "metric",
    "baseline",
    "format",
    "recipe",
    "group",
    "sample",
    "prompt",
    "variant",
)
"""What may stand for {kind} in them."""
