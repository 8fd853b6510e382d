"""The model structures that a job file may name."""

MODELS = {
    "cnn": "trivium.models.cnn:Cnn",
    "lstm": "trivium.models.lstm:Lstm",
    "matrix_factorization": "trivium.models.matrix_factorization:MatrixFactorization",
    "mlp": "trivium.models.mlp:Mlp",
    "multi_input": "trivium.models.multi_input:MultiInput",
}
