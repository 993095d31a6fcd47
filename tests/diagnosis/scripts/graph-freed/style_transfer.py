import torch
from torch import nn


class Extractor(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 4, 3))

    def forward(self, image):
        return self.body(image)


def gram(f):
    b, c, h, w = f.shape
    f = f.reshape(b, c, h * w)
    return f @ f.transpose(1, 2) / (c * h * w)


net = Extractor()
style_image = torch.rand(1, 1, 8, 8)
style_target = gram(net(style_image))
image = torch.rand(1, 1, 8, 8, requires_grad=True)
opt = torch.optim.SGD([image], lr=0.1)
for epoch in range(4):
    opt.zero_grad()
    loss = (gram(net(image)) - style_target).pow(2).sum()
    loss.backward()  # <- here
    opt.step()
