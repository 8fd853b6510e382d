"""The supervised training loop: batch, loss, gradients, step, report, checkpoint, top to bottom.

It knows neither files nor Ray: rows come from `trivium.datasets`, the meaning of outputs from the
task, the other workers from `Workers`, and what it finds goes to the run writer of rank 0.
"""

import contextlib
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trivium.datasets.batch import Batch
from trivium.datasets.dataset import Dataset
from trivium.platform.errors import RunFailed
from trivium.platform.interrupt import Interrupted
from trivium.platform.run_writer import RunWriter
from trivium.platform.settings import build
from trivium.platform.state_file import read_state
from trivium.trainers.supervised.gradients import GradientWatch, clip_gradients, where_not_finite
from trivium.trainers.supervised.job import OPTIMIZERS, SCHEDULES, SupervisedJob
from trivium.trainers.supervised.notice import Leaving
from trivium.trainers.supervised.optimizers import load_optimizer_state
from trivium.trainers.supervised.progress import (
    Progress,
    load_weights,
    random_state,
    restore_random_state,
    save_state,
    save_weights,
    seed_everything,
)
from trivium.trainers.supervised.tasks.task import Task, metric_named
from trivium.trainers.supervised.workers import Workers

_DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Loop:
    """One training, from its beginning or its last checkpoint to its end."""

    def __init__(
        self,
        job: SupervisedJob,
        dataset: Dataset,
        model: nn.Module,
        task: Task,
        workers: Workers,
        writer: RunWriter | None,
    ) -> None:
        self.settings = settings = job.algorithm
        self.task, self.workers, self.writer = task, workers, writer
        self.device = workers.device
        self.model = model
        self.train_batches = dataset.batches(
            "train",
            batch_size(job, dataset),
            seed=job.seed,
            shuffle=True,
            rank=workers.rank,
            world_size=workers.world_size,
            device=str(self.device),
        )
        self.validation_batches = dataset.batches(
            "validation",
            settings.evaluation_batch_size,
            rank=workers.rank,
            world_size=workers.world_size,
            device=str(self.device),
        )
        self.learner = workers.wrap(model)
        self.optimizer: torch.optim.Optimizer = build(
            settings.optimizer, OPTIMIZERS, {"parameters": list(model.parameters())}
        )
        self._parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        self._base_lrs = [group["lr"] for group in self.optimizer.param_groups]
        self.schedule = build(
            settings.schedule,
            SCHEDULES,
            {"steps_per_epoch": self.steps_per_epoch, "num_epochs": settings.epochs},
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "fp16")
        self.watch = GradientWatch(
            settings.gradients, model, skips_non_finite=self.scaler.is_enabled()
        )
        self._scales = self.scaler.is_enabled()
        # Batch normalisation has no spread over a single row.
        normalizes = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())
        self._fewest_rows = 2 if normalizes else 1
        self._spare: tuple[torch.Tensor, ...] | None = None
        self.progress = Progress()
        self.tally = task.new_tally(self.device)
        self.best_weights: dict[str, torch.Tensor] | None = None
        self._watched, self._sign = watched_metric(job, task)
        seed_everything(job.seed, workers.rank)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one pass over the training rows."""
        return math.ceil(self.train_batches.num_batches / self.settings.accumulate_batches)

    def fit(self) -> Progress:
        """Train to the last epoch, or until the watched metric stops getting better."""
        while self.progress.epoch < self.settings.epochs and not self._is_stale():
            self._train_epoch()
            self._finish_epoch()
        self._save()
        return self.progress

    def _train_epoch(self) -> None:
        progress = self.progress
        self.learner.train()
        group: list[Batch] = []
        began = time.perf_counter()
        for batch in self.train_batches.epoch(progress.epoch, start=progress.batch):
            group.append(batch)
            is_last = progress.batch + len(group) == self.train_batches.num_batches
            if len(group) < self.settings.accumulate_batches and not is_last:
                continue
            self._step(group)
            progress.batch += len(group)
            progress.rows += sum(b.size for b in group)
            group = []
            self._tell_progress()
            decision = self.workers.decide(progress.step, self.writer)
            if decision.save or decision.stop or decision.leave:
                now = time.perf_counter()
                progress.train_s += now - began
                self._save()
                began = time.perf_counter()
            if decision.stop:
                raise Interrupted(
                    f"stopped at epoch {progress.epoch + 1}, step {progress.step}; "
                    "all is saved, `trivium resume` goes on from there"
                )
            if decision.leave:
                raise Leaving(f"left at epoch {progress.epoch + 1}, step {progress.step}")
        progress.train_s += time.perf_counter() - began

    def _step(self, group: list[Batch]) -> None:
        """One optimizer step from the batches of `group`."""
        scale = self.schedule.lr_scale(self.progress.step)
        for parameters, lr in zip(self.optimizer.param_groups, self._base_lrs, strict=True):
            parameters["lr"] = lr * scale
        for parameter in self._parameters:  # what zero_grad does, but for its bookkeeping
            parameter.grad = None
        for index, batch in enumerate(group):
            with self.workers.without_sync(self.learner, index == len(group) - 1):
                self._backward(batch, share=1.0 / len(group))
        self.workers.average_gradients()
        if self._scales:
            self.scaler.unscale_(self.optimizer)
        for sentence in self.watch.look(self.progress.step):
            self._warn(sentence)
        clip_gradients(self.model, self.settings.gradients)
        if self._scales:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        self.progress.step += 1
        if self.progress.first_step_at is None:
            self.progress.first_step_at = time.time()
            if self.writer is not None:
                self.writer.mark_first_step()

    def _backward(self, batch: Batch, share: float) -> None:
        if len(batch.target) < self._fewest_rows:
            self._take_part(batch)
            return
        if self.settings.precision == "float32":
            outputs = self.learner(*batch.inputs)
            loss = self.task.loss(outputs, batch.target)
        else:
            with self._autocast():
                outputs = self.learner(*batch.inputs)
                loss = self.task.loss(outputs, batch.target)
        if self.device.type == "cpu" and not math.isfinite(loss.item()):
            self._end_not_finite(batch)  # asking a GPU would wait for it: see the epoch's end
        self.task.count(self.tally, outputs, batch.target, loss)
        # Workers' gradients are averaged, so a worker with more rows than its share counts more.
        weight = share * len(batch.target) * self.workers.world_size / batch.size
        if weight != 1.0:
            loss = loss * weight
        if self._scales:
            loss = self.scaler.scale(loss)
        loss.backward()
        if self.workers.world_size > 1:
            self._spare = batch.inputs

    def _take_part(self, batch: Batch) -> None:
        """A last batch too small to learn from: none of it here, or one row to normalise over.

        Other workers average gradients all the same, and wait for zeros from this one.
        """
        if self.workers.world_size > 1:
            inputs = self._spare if self._spare is not None else batch.inputs
            (self.learner(*inputs).sum() * 0.0).backward()

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        precision = self.settings.precision
        if precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=_DTYPES[precision])

    def _finish_epoch(self) -> None:
        """Validate, report, keep the best, save when it is time."""
        progress = self.progress
        self.workers.equal_buffers(self.model)
        train = self._metrics_of(self.tally)
        self.tally = self.task.new_tally(self.device)
        progress.epoch, progress.batch = progress.epoch + 1, 0
        metrics = {f"train/{k}": v for k, v in train.items()}
        if self.validation_batches.num_batches:
            metrics |= {f"validation/{k}": v for k, v in self._validate().items()}
        if not math.isfinite(train["loss"]):
            self._end_not_finite(None)
        self.schedule.observe(metrics)
        self._compare(metrics)
        self._report(metrics)
        decision = self.workers.decide(progress.step, self.writer)
        is_over = progress.epoch == self.settings.epochs or self._is_stale()
        is_stopped = decision.stop and not is_over
        is_left = decision.leave and not is_over
        if decision.save or is_stopped or is_left:
            self._save()
        if is_left:
            raise Leaving(f"left after epoch {progress.epoch}, step {progress.step}")
        if is_stopped:
            raise Interrupted(
                f"stopped after epoch {progress.epoch}, step {progress.step}; "
                "all is saved, `trivium resume` goes on from there"
            )

    @torch.inference_mode()
    def _validate(self) -> dict[str, float]:
        self.learner.eval()
        tally = self.task.new_tally(self.device)
        for batch in self.validation_batches.epoch(0):
            if len(batch.target) == 0:
                continue  # fewer rows in the last batch than workers
            with self._autocast():
                outputs = self.model(*batch.inputs)
            loss = self.task.loss(outputs, batch.target)
            self.task.count(tally, outputs, batch.target, loss)
        return self._metrics_of(tally)

    def _metrics_of(self, tally: Any) -> dict[str, float]:
        total = self.task.new_tally(self.device)
        total.load(self.workers.total(tally.packed()))
        return self.task.running_metrics(total)

    def _compare(self, metrics: Mapping[str, float]) -> None:
        """Remember this epoch's weights when they are the best so far."""
        stopping = self.settings.early_stopping
        progress = self.progress
        name = self._watched if self._watched in metrics else "train/loss"
        value = self._sign * metrics[name] if name == self._watched else -metrics[name]
        delta = stopping.min_delta if stopping else 0.0
        if progress.best_value is not None and value <= progress.best_value + delta:
            progress.epochs_since_best += 1
            return
        progress.best_value, progress.best_step = value, progress.step
        progress.epochs_since_best = 0
        self.best_weights = {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    def _is_stale(self) -> bool:
        stopping = self.settings.early_stopping
        return stopping is not None and self.progress.epochs_since_best >= stopping.patience

    def _report(self, metrics: Mapping[str, float]) -> None:
        if self.writer is None:
            return
        progress = self.progress
        extra = {
            "train/lr": self.optimizer.param_groups[0]["lr"],
            "train/gradient_norm": self.watch.last_norm,
            "samples_per_s": progress.samples_per_s,
        }
        self.writer.report(progress.step, {**metrics, **extra}, epoch=progress.epoch)

    def _tell_progress(self) -> None:
        if self.writer is not None:
            share = self.progress.batch / self.train_batches.num_batches
            self.writer.progress(self.progress.epoch + share, self.settings.epochs, "epochs")

    def _warn(self, sentence: str) -> None:
        if sentence not in self.progress.warnings:
            self.progress.warnings.append(sentence)
            if self.writer is not None:
                self.writer.say(f"gradients: {sentence}")

    def _end_not_finite(self, batch: Batch | None) -> None:
        """Stop, after saving, before the weights are spoiled."""
        step = self.progress.step + 1
        where = where_not_finite(self.model, batch.inputs if batch else ())
        if self.workers.world_size == 1:  # others are elsewhere in the step: they cannot take part
            self._save()
        raise RunFailed(
            f"the loss is not finite at step {step} (epoch {self.progress.epoch + 1}){where}. "
            "The weights from before that step are not changed by it. Try a smaller "
            "algorithm.optimizer.lr, algorithm.gradients.clip_norm: 1.0, or a warm-up; "
            "check the inputs for extreme values"
        )

    def resume(self, path: Path) -> None:
        """Take up the state in the checkpoint at `path`."""
        state = read_state(path / "state.pt")
        load_weights(self.model, path / "weights.safetensors")
        load_optimizer_state(self.optimizer, state["optimizer"], self.model.parameters())
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        self.watch.load_state_dict(state["watch"])
        self.progress = Progress.read(state["progress"])
        self.tally.load(self._tally_of(state["tallies"]))
        self.best_weights = state["best"]
        if self.workers.rank < len(state["random"]):
            restore_random_state(state["random"][self.workers.rank])

    def _tally_of(self, tallies: list[list[float]]) -> torch.Tensor:
        """This worker's part of what the epoch under way has counted; the parts are summed up.

        Workers of another number than those that saved leave all of it to the first.
        """
        packed = torch.tensor(tallies, dtype=torch.float64)
        if len(tallies) == self.workers.world_size:
            return packed[self.workers.rank]
        return packed.sum(0) if self.workers.is_first else torch.zeros_like(packed[0])

    def _save(self) -> None:
        """Write checkpoint last, and best when there is one; every worker takes part."""
        shares = self.workers.gather((random_state(), self.tally.packed().tolist()))
        if self.writer is None:
            return
        state = {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "watch": self.watch.state_dict(),
            "progress": self.progress.as_dict(),
            "random": [random for random, _ in shares],
            "tallies": [tally for _, tally in shares],
            "best": self.best_weights,
        }

        def fill(path: Path) -> None:
            save_weights(self.model, path / "weights.safetensors")
            save_state(state, path / "state.pt")

        if self.best_weights is not None:
            self._write_best(self.writer)
        self.writer.save_checkpoint(self.progress.step, fill)

    def _write_best(self, writer: RunWriter) -> None:
        saved = writer.folder.checkpoint("best")
        if saved is not None and saved.step == self.progress.best_step:
            return

        def fill(path: Path) -> None:
            now = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            assert self.best_weights is not None
            self.model.load_state_dict(self.best_weights)
            save_weights(self.model, path / "weights.safetensors")
            self.model.load_state_dict(now)

        writer.save_checkpoint(self.progress.best_step, fill, name="best")


def batch_size(job: SupervisedJob, dataset: Dataset) -> int:
    """Rows per step over all workers."""
    size = job.algorithm.batch_size
    rows = dataset.num_rows("train")
    return rows if size == "full" else min(size, rows)


def watched_metric(job: SupervisedJob, task: Task) -> tuple[str, float]:
    """The metric that the best epoch is chosen by, and 1 (larger is better) or -1."""
    stopping = job.algorithm.early_stopping
    name = stopping.metric if stopping and stopping.metric else task.watch
    metric = metric_named(task, name)
    return name, 1.0 if metric is not None and metric.larger_is_better else -1.0
