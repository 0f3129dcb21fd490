"""Scripts that run other packages on face crops, each in the environment of that package.

They import nothing of ferflow: `python run_fer.py IMAGES.npy ANSWER.npz [OPTION...]`. Those of npm
packages are in `npm/`: `node run_human.js IMAGES.npy ANSWER.json`.
"""
