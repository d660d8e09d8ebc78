"""Train the shipped wine model again: `python train_wine.py FOLDER`, with the packages of
runtimes/mlflow/requirements.txt.

The data set is part of scikit-learn and the solver is deterministic, so that every training gives
the same coefficients.
"""

import sys

import mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def train(folder: str) -> None:
    """Fit on all 178 wines and save the model with its signature and an example."""
    measurements, cultivars = load_wine(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(measurements, cultivars)
    mlflow.sklearn.save_model(
        model,
        folder,
        signature=infer_signature(measurements, model.predict(measurements)),
        # One wine of each cultivar.
        input_example=measurements.iloc[[0, 80, 160]],
        pip_requirements=["scikit-learn==1.9.1"],
    )


if __name__ == "__main__":
    train(sys.argv[1])
