from decimal import Decimal

import pytest

from runtimes.registry import MODEL_MOUNT, RUNTIMES, Launch, UnknownRuntime, command_and_environment


def launch(**changes):
    facts = {"model_name": "m", "vcpu": Decimal(2), "memory_mib": 8192, **changes}
    return Launch(**facts)


def test_each_runtime_is_either_built_from_a_folder_or_pulled():
    for runtime in RUNTIMES.values():
        assert bool(runtime.context) != bool(runtime.reference)
        if runtime.context:
            assert (runtime.context / "Dockerfile").is_file()
            assert (runtime.context / "requirements.txt").is_file()


def test_a_model_server_is_told_its_model_and_threads():
    options = {"model_file": "a.gguf", "context_length": 2048, "slots": 3}
    command, env = command_and_environment("llm", launch(options=options))
    assert command == ("python", "server.py")
    assert env["MODEL_PATH"] == f"{MODEL_MOUNT}/a.gguf"
    assert (env["THREADS"], env["CONTEXT_LENGTH"], env["SLOTS"]) == ("2", "2048", "3")


def test_half_a_vcpu_still_computes_with_one_thread():
    _, env = command_and_environment("embedding", launch(vcpu=Decimal("0.5")))
    assert (env["THREADS"], env["TASK"]) == ("1", "embed")


def test_vllm_gets_the_model_first_and_one_shard_a_gpu():
    options = {"context_length": 8192, "arguments": ["--enforce-eager"]}
    command, env = command_and_environment("vllm", launch(gpus=2, options=options))
    assert command[0] == MODEL_MOUNT
    assert command[command.index("--tensor-parallel-size") + 1] == "2"
    assert command[command.index("--max-model-len") + 1] == "8192"
    assert command[-1] == "--enforce-eager"
    assert env["HOME"] == "/tmp"


def test_tei_gets_its_pooling_only_when_the_entry_says_so():
    plain, _ = command_and_environment("tei", launch())
    pooled, _ = command_and_environment("tei", launch(options={"pooling": "cls"}))
    assert "--pooling" not in plain
    assert pooled[pooled.index("--pooling") + 1] == "cls"


def test_tei_cuts_texts_only_where_the_entry_limits_them():
    plain, env = command_and_environment("tei", launch())
    limited, _ = command_and_environment("tei", launch(options={"context_length": 2048}))
    assert "--auto-truncate" not in plain
    assert limited[limited.index("--max-batch-tokens") + 1] == "2048"
    assert limited[-1] == "--auto-truncate"
    assert env["RAYON_NUM_THREADS"] == "2"


def test_an_unknown_runtime_is_refused_with_those_there_are():
    with pytest.raises(UnknownRuntime, match="embedding, llm, mlflow"):
        command_and_environment("onnx", launch())
