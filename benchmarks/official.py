"""The published PyTorch code of TSIT or SPADE, built from a checkout of one's own: for benchmarks to run beside ours.

Nothing of it is part of this project: pass the folder of a clone. What it imports but a comparison does not need (its batch norm module for many GPUs, torchvision,
dill) is replaced by stand-ins; on one device its batch norm is PyTorch's.
"""

from __future__ import annotations

import sys
import types
from argparse import Namespace
from pathlib import Path

import torch


def options(
    checkout: Path, *, classes: int, width: int, height: int, ngf: int, ndf: int, vae: bool, device: str = "cpu", **more
) -> Namespace:
    """The options that the networks of a checkout read, for a label task without instance maps."""
    spade = not (checkout / "models" / "networks" / "stream.py").exists()
    found = {
        "task": "SIS", "label_nc": classes, "contain_dontcare_label": False, "no_instance": True, "semantic_nc": classes, "output_nc": 3,
        "ngf": ngf, "ndf": ndf, "crop_size": width, "aspect_ratio": width / height, "use_vae": vae, "z_dim": 256, "no_ss": True, "alpha": 1.0,
        "norm_G": "spectralspadesyncbatch3x3" if spade else "spectralfadesyncbatch3x3", "norm_D": "spectralinstance", "norm_S": "spectralinstance",
        "norm_E": "spectralinstance", "netG": "spade" if spade else "tsit", "netD": "multiscale", "netD_subarch": "n_layer", "num_D": 2, "n_layers_D": 4,
        "num_upsampling_layers": "normal" if spade else "more", "no_ganFeat_loss": False, "no_vgg_loss": True, "lambda_feat": 10.0, "lambda_vgg": 10.0,
        "lambda_kld": 0.05, "gan_mode": "hinge", "init_type": "xavier", "init_variance": 0.02, "isTrain": True, "continue_train": False,
        "gpu_ids": [0] if device == "cuda" else [], "no_TTUR": True, "beta1": 0.0, "beta2": 0.9, "lr": 2e-4,
    }  # fmt: skip
    return Namespace(**{**found, **more})


def model(checkout: Path, opt: Namespace):
    """The checkout's Pix2PixModel (networks and losses), in training mode."""
    for name, content in {
        "dill": {}, "torchvision": {"models": None},
        "models.networks.sync_batchnorm": {"SynchronizedBatchNorm2d": torch.nn.BatchNorm2d, "DataParallelWithCallback": None},
    }.items():  # fmt: skip
        stand_in = types.ModuleType(name)
        stand_in.__dict__.update(content)
        sys.modules.setdefault(name, stand_in)
    sys.path.insert(0, str(checkout))
    from models.pix2pix_model import Pix2PixModel

    return Pix2PixModel(opt)
