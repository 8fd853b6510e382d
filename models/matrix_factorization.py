"""Matrix factorisation: a rating from what a user likes and what an item is like."""

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import nn

from trivium.platform.settings import ComponentSettings

UNKNOWN = 0
"""The index of a user or an item that training did not see."""


class MatrixFactorizationSettings(ComponentSettings):
    """Settings of `matrix_factorization`."""

    rank: int = Field(16, ge=0)
    """Numbers that describe a user or an item; 0 leaves the biases alone."""
    biases: bool = True
    """Learn how high each user rates and how high each item is rated, apart from the match."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability with which a number of a user's description is zeroed in training."""
    unknown_share: float = Field(0.1, ge=0, lt=1)
    """Share of users and of items that training takes for unknown, so that the model learns what
    to say of those it will meet for the first time; 0 lets an unknown one add nothing."""
    initial_std: float = Field(0.05, gt=0)
    """Spread of the descriptions before training; small, so that biases are learned first."""

    @model_validator(mode="after")
    def _takes_effect(self) -> Self:
        if self.rank == 0 and (not self.biases or self.dropout):
            raise ValueError(
                "rank: 0 leaves the biases alone: it needs biases: true, and no dropout"
            )
        return self


class MatrixFactorization(nn.Module):
    """mean + user bias + item bias + user factors . item factors (Koren et al. 2009).

    `num_users` and `num_items` count the unknown one, index 0. It starts with a bias and factors
    of zero, and learns from the rows that training takes for unknown.
    """

    def __init__(
        self,
        settings: MatrixFactorizationSettings,
        num_users: int,
        num_items: int,
        target_mean: float,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(float(target_mean)))
        self.mean: torch.Tensor
        rank, std = settings.rank, settings.initial_std
        self.user_biases = _embedding(settings, num_users, 1, 0.0) if settings.biases else None
        self.item_biases = _embedding(settings, num_items, 1, 0.0) if settings.biases else None
        self.user_factors = _embedding(settings, num_users, rank, std) if rank else None
        self.item_factors = _embedding(settings, num_items, rank, std) if rank else None
        self.unknown_share = settings.unknown_share
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Users [B] and items [B] to ratings [B]."""
        if self.training and self.unknown_share:
            users, items = self._forget(users), self._forget(items)
        ratings = self.mean
        if self.user_biases is not None and self.item_biases is not None:
            ratings = ratings + (self.user_biases(users) + self.item_biases(items))[:, 0]
        if self.user_factors is not None and self.item_factors is not None:
            liked = self.dropout(self.user_factors(users))
            ratings = ratings + (liked * self.item_factors(items)).sum(1)
        return ratings

    def _forget(self, ids: torch.Tensor) -> torch.Tensor:
        """The same ids, a random share of them unknown."""
        is_kept = torch.rand(ids.shape, device=ids.device) >= self.unknown_share
        return ids * is_kept  # the unknown one is 0


def _embedding(
    settings: MatrixFactorizationSettings, num_rows: int, width: int, std: float
) -> nn.Embedding:
    # As padding, the unknown one gets no gradient.
    padding = None if settings.unknown_share else UNKNOWN
    embedding = nn.Embedding(num_rows, width, padding_idx=padding)
    nn.init.normal_(embedding.weight, std=std)
    nn.init.zeros_(embedding.weight[UNKNOWN])
    return embedding
