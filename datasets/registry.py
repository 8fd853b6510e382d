"""Names of the sources and transforms that a job file may use."""

SOURCES: dict[str, str] = {
    "mnist5k": "trivium.datasets.sources.mnist5k:mnist5k",
    "fashion-mnist": "trivium.datasets.sources.idx_folder:fashion_mnist",
    "digits": "trivium.datasets.sources.scikit_learn:digits",
    "breast-cancer": "trivium.datasets.sources.scikit_learn:breast_cancer",
    "diabetes": "trivium.datasets.sources.scikit_learn:diabetes",
    "reuters-r8": "trivium.datasets.sources.reuters:reuters_r8",
    "chinese-reviews": "trivium.datasets.sources.chinese_reviews:chinese_reviews",
    "movielens-100k": "trivium.datasets.sources.movielens:movielens_100k",
}
"""A function without parameters that gives a `trivium.datasets.source.Source`."""

TRANSFORMS: dict[str, str] = {
    "impute": "trivium.datasets.transforms.impute:Impute",
    "normalize": "trivium.datasets.transforms.normalize:Normalize",
    "standardize": "trivium.datasets.transforms.standardize:Standardize",
}
