// 中文。
export default {
  "skip": "跳到主要内容", "waiting": "正在打开", "on": "开", "off": "关", "view.only": "仅供浏览：此处不能训练，也不能修改。",
  "error.status": "服务器返回了 {status}。", "error.gone": "连不上工作室。它还在运行吗？", "error.file": "无法读取此文件。", "error.title": "无法打开此页面", "error.again": "重试",
  "time.hours": "{h} 小时 {m} 分", "time.minutes": "{m} 分 {s} 秒", "time.seconds": "{s} 秒",

  "room.runs": "模型", "room.explore": "探索", "room.draw": "绘画", "room.between": "渐变", "room.train": "训练", "room.pictures": "我的图片", "room.map": "地图", "room.play": "博弈", "room.lessons": "课程", "room.mend": "修补", "room.translate": "转换", "room.darkroom": "暗房", "room.measure": "评估",

  "copy.command": "复制为命令", "copy.python": "复制为 Python", "copy.link": "复制链接", "copy.done": "已复制。",
  "picture.drop": "把图片拖放或粘贴到这里。", "picture.choose": "选择图片", "picture.save": "保存图片", "run.choose": "模型", "scrub.label": "训练时刻",

  "empty.title": "这里还没有你的模型", "empty.lead": "现在就用手写数字训练一个小模型。大约需要一分钟，你可以看着它学习。", "empty.quickstart": "训练第一个模型", "empty.own": "使用我的图片", "empty.go": "前往“模型”",
  "empty.explore": "请先训练一个模型，然后就可以在这里操控它。", "empty.translate": "请先训练一个转换模型，例如配方 cyclegan 或 pix2pix；它能把一类图片变成另一类。",

  "runs.lead": "你训练过的所有模型及其最新样本。", "runs.filter": "按名称、类型、数据或备注筛选", "runs.shipped": "随软件附带的模型", "runs.none": "没有匹配的模型。", "runs.new": "训练模型", "runs.star": "收藏 {name}", "runs.samples": "{name} 的样本", "runs.nosheet": "还没有样本",
  "runs.images": "{n} 张图像", "runs.step": "第 {n} 步", "runs.samples2": "学习过程中的样本", "runs.reconstructions": "原图与重建", "runs.back": "所有模型", "runs.note": "关于此模型的备注", "runs.config": "完整配置", "facts.images": "已学习的图像", "facts.time": "训练时间",

  "explore.reading": "正在读取训练图片，仅此一次。你可以继续操作。",
  "explore.beside": "另一个模型中的同一潜变量", "explore.alone": "无", "explore.second": "另一个模型对同一潜变量画出的图像",
  "explore.lead": "在模型的潜空间中移动，每一点立即可见。", "explore.image": "所选潜变量对应的图像", "explore.new": "新样本", "explore.keep": "存为关键帧", "explore.kept": "已保存。“渐变”中有 {n} 个关键帧。", "explore.walk": "在它们之间漫步", "explore.variations": "变体",
  "explore.take": "选用变体 {n}", "explore.near": "最接近的训练图像：是复制吗？", "explore.nearest": "训练图像 {n}", "explore.codes": "命名编码", "explore.sliders": "最重要的潜变量", "explore.reset": "回到起点", "explore.draw": "按种子抽样", "explore.truncation": "截断",
  "explore.seed": "种子", "explore.axis": "坐标轴", "explore.two": "手下的两个潜变量", "explore.plane": "整个潜平面", "explore.planehint": "在平面上拖动，或使用方向键。", "explore.pad": "两个潜变量构成的方形；拖动，或使用方向键",

  "draw.lead": "画一张或拖入一张图片。模型会显示它的理解，你还可以修改它的潜变量。", "draw.paper": "绘画区", "draw.width": "画笔粗细", "draw.colour": "画笔颜色", "draw.undo": "撤销", "draw.clear": "清除", "draw.drop": "也可以拖放、粘贴或选择图片。", "draw.example": "使用测试图像",
  "draw.invert": "寻找最接近的潜变量", "draw.first": "请先画点什么。", "draw.seen": "模型看到的", "draw.made": "模型画出的", "draw.difference": "差异", "draw.error": "均方误差 {n}", "draw.edit": "修改它", "draw.edited": "修改后的图片", "draw.kept": "已存为“渐变”的关键帧。", "draw.result": "结果",
  "draw.hint": "画上一笔，结果会跟着你的手变化。", "draw.hintinvert": "此模型没有编码器：画完后请按“寻找最接近的潜变量”，需要几秒钟。",

  "between.lead": "选择关键帧和路线，看图片如何一步步变化。", "between.frame": "滑块处的画面", "between.scrub": "画面", "between.play": "播放", "between.keys": "关键帧", "between.key": "关键帧 {n}", "between.hint": "点按关键帧可将其移除。", "between.remove": "移除此关键帧", "between.removen": "移除关键帧 {n}",
  "between.random": "随机添加一个", "between.afresh": "重新开始", "between.drop": "拖入图片即可添加。", "between.full": "已经有八个关键帧了。", "between.two": "请至少选择两个关键帧。", "between.save": "保存为 GIF", "between.video": "保存为 {kind}", "between.route": "路线", "between.steps": "帧数",
  "route.latent": "潜空间", "route.fade": "淡入淡出", "route.flow": "光流", "route.transport": "光的搬运", "routehint.latent": "经过模型：每一帧都是模型能画出的图片。", "routehint.fade": "不用模型：一张图片淡入下一张。", "routehint.flow": "不用模型：像素沿着图片之间的光流移动（需要附加组件 vision）。",
  "routehint.transport": "不用模型：光移动到下一张图片中的位置。",

  "train.lead": "选择配方，开始训练，看它学习。", "train.recipe": "配方", "train.data": "数据", "train.owndata": "配方自带的数据", "train.name": "名称", "train.nameauto": "自动命名", "train.start": "开始训练", "train.stop": "保存并停止", "train.resume": "继续", "train.longer": "再训练同样长的时间", "train.open": "打开模型",
  "train.log": "输出信息", "train.queue": "训练任务", "train.none": "当前没有训练", "train.nonelead": "在左侧开始一个；样本和曲线会随时出现在这里。", "train.progress": "训练进度", "train.left": "还剩 {time}", "train.curves": "曲线", "train.data2": "更多数据选项", "train.model": "更多模型选项", "train.train": "更多训练选项", "train.absent": "自动",
  "state.queued": "等待中", "state.running": "训练中", "state.done": "已完成", "state.failed": "失败", "state.stopped": "已停止", "statehint.queued": "前一个训练结束后即开始。", "statehint.running": "正在准备：加载 PyTorch 和数据。", "statehint.done": "", "statehint.failed": "", "statehint.stopped": "它在第一次报告之前就停止了。",

  "pictures.lead": "从你的图片文件夹到全新的图片。一切都留在这台电脑上。", "pictures.drop": "把图片文件夹或 zip 拖到这里", "pictures.kinds": "PNG、JPEG、WebP、GIF、BMP 或 TIFF。子文件夹即类别。", "pictures.folder": "选择文件夹", "pictures.zip": "选择文件或 zip", "pictures.sending": "正在读取图片", "pictures.looking": "正在查看图片",
  "pictures.found": "{name} 中有 {n} 张图片", "pictures.refused": "{n} 个文件无法使用", "pictures.crops": "裁剪效果", "pictures.crop": "裁剪后的图片 {n}", "pictures.time": "可以用多长时间？", "pictures.minutes": "时间", "pictures.min": "{n} 分钟", "pictures.plan": "制定计划", "pictures.other": "换一批图片",
  "pictures.measuring": "正在测试这台电脑，需要几秒钟", "pictures.planned": "计划",

  "translate.lead": "把一类图片变成另一类，再变回来。", "translate.hint": "选择一个示例，画一张，或拖入图片。", "translate.from": "模型看到的 {d}", "translate.to": "转换为 {d}", "translate.back": "变回 {d}", "translate.direction": "方向", "translate.ab": "A 到 B", "translate.ba": "B 到 A", "translate.examples": "测试图像",
  "translate.example": "测试图像 {n}", "translate.draw": "绘画", "translate.result": "结果",

  "mend.lead": "涂抹图片的一部分，或让模型找出它无法解释的地方；然后比较各种填补方法。", "mend.picture": "要修补的图片", "mend.paint": "在此涂抹要填补的部分", "mend.hint": "请涂抹图片的一部分。", "mend.model": "由模型填补", "mend.blended": "由模型填补，边缘融合", "mend.nearest": "取自最接近的训练图片", "mend.biharmonic": "光滑曲面", "mend.telea": "快速行进", "mend.navier-stokes": "纳维-斯托克斯",
  "mend.take": "采用", "mend.filled": "填补结果", "mend.find": "找出不合之处", "mend.redrawn": "模型重画的图片", "mend.heat": "异常图，得分 {n}", "mend.threshold": "阈值",

  "draw.directions": "类别之间的方向", "draw.directionshint": "把两个类别之间的差异加到图片的潜变量上。", "draw.plus": "更像", "draw.minus": "更不像", "draw.strength": "强度", "draw.walk": "从原图到完整的差异",

  "dark.lead": "手工修改图片，并复制能对整个文件夹做同样处理的命令。", "dark.before": "之前", "dark.after": "之后", "dark.add": "添加操作", "dark.chain": "操作", "dark.drop": "把图片拖放或粘贴到这里。", "dark.hint": "添加一个操作；每个都有滑块，预览会随之变化。", "dark.batch": "用于多个文件", "dark.batched": "zip 中有 {n} 张图片。", "dark.remove": "移除此操作", "dark.up": "上移此操作",

  "measure.lead": "模型的得分及其成立的条件。", "measure.scores": "得分", "measure.metric": "指标", "measure.value": "数值", "measure.conditions": "条件", "measure.none": "此模型尚未评估", "measure.how": "在终端中运行此命令，得分及其页面就会出现在这里。", "measure.evaluation": "评估", "measure.report": "报告", "measure.window": "在新标签页中打开",

  "play.lead": "亲手进行模型的博弈：一次一回合，看每个玩家在最小化什么。", "play.what": "用什么来玩", "play.game": "图片模型", "play.plane": "平面上的点",
  "play.family": "模型类型", "play.afresh": "重新开始", "play.turns": "回合", "play.next": "下一回合", "play.only": "只动 {player}", "play.play": "播放", "play.pause": "暂停", "play.pace": "速度",
  "play.pace0": "很慢", "play.pace1": "慢", "play.pace2": "平稳", "play.pace3": "轻快", "play.pace4": "快", "play.pace5": "每次 60 回合",
  "play.players": "玩家", "play.still": "保持不动", "play.weights": "{n} 个权重", "play.waits": "还没轮到它。", "play.history": "各回合的损失项", "play.ready": "还没有人走过一步。图片来自未训练的权重。",
  "play.told": "第 {step} 步：轮到 {turn}。已移动：{moved}。", "play.nobody": "无", "play.before": "之前", "play.after": "之后", "play.now": "现在", "play.samples": "同一组潜变量的样本", "play.reconstructions": "测试图片，下方为重建",

  "plane.paper": "平面：在此画点", "plane.one": "走一步", "plane.legend": "绿色：你的点。红色：生成的点。蓝色底：判别器认为真实的地方；橙色底：它认为是生成的地方。箭头：损失把生成器拉向何处。",
  "plane.draw": "分布", "plane.drawhint": "用鼠标或手指在平面上画，博弈进行中也可以；或者选择一个形状。", "plane.new": "开始新的图形", "plane.fresh": "下一笔将开始新的图形。", "plane.pace": "每次步数", "plane.rate": "学习率",
  "plane.ring": "八个点", "plane.grid": "网格", "plane.circle": "圆", "plane.spiral": "螺旋", "plane.two": "两个点", "plane.six": "六种目标函数", "plane.sixhint": "它们从相同的权重开始。点按其中一个可放大查看，也可以换一种惩罚项。",
  "plane.penalty": "{objective} 的惩罚项", "plane.covered": "已到达 {n} %", "plane.over": "已发散", "plane.step": "第 {n} 步",
  "objective.saturating": "饱和", "objective.non_saturating": "非饱和", "objective.least_squares": "最小二乘", "objective.hinge": "合页", "objective.wasserstein": "Wasserstein", "objective.relativistic": "相对配对",
  "penalty.none": "无惩罚", "penalty.gradient_penalty": "梯度惩罚", "penalty.dragan": "DRAGAN", "penalty.r1": "R1", "penalty.r2": "R2", "penalty.r1_r2": "R1 与 R2",
  "lessons.lead": "八段简短的导览：看什么、按什么，最后有一个问题。", "lessons.start": "开始", "lessons.done": "已完成", "lessons.steps": "{n} 步", "lessons.panel": "课程", "lessons.at": "第 {n} 步，共 {m} 步",
  "lessons.back": "上一步", "lessons.next": "下一步", "lessons.end": "完成", "lessons.there": "带我去", "lessons.close": "关闭课程", "lessons.fold": "折叠或展开课程", "lessons.try": "试一试：", "lessons.train": "在此训练",
  "lessons.missing": "这一步需要的模型还不在这里。可以在此训练，或使用下面的命令；也可以跳过它继续。",
  "remedy.try": "补救办法：", "remedy.roll-back": "继续；再次发生时回退", "remedy.steady": "重来：相对配对与 R1、R2", "remedy.cycle": "重来：循环权重加倍", "remedy.slower": "重来：学习率减半", "remedy.seed": "重来：换一个种子",
  "empty.map": "请先训练一个带编码器的模型，例如配方 quickstart，然后就能看到它把你的图片放在哪里。",
  "map.lead": "测试图片在编码器眼中的位置：它认为相似的聚在一起。", "map.reading": "正在读取图片并编码", "map.canvas": "测试图片地图；方向键移动，加号和减号缩放；也可用按钮选择类别", "map.hint": "在一些图片周围画一圈，或点按一张。按住 Shift 可追加。",
  "map.chosen": "已选 {n} 张", "map.class": "选择类别", "map.picked": "选中的图片", "map.more": "更多这样的", "map.new": "与之相似的新图片", "map.near": "附近的其他测试图片", "map.explore": "在“探索”中打开新图片 {n}", "map.add": "加入测试图片 {n}", "map.drop": "移出",
  "map.plane": "此模型有两个潜变量，按原样显示。", "map.shown": "众多方向中的两个，包含编码方差的 {n} %。", "map.closer": "放大", "map.farther": "缩小", "map.move": "移动", "map.all": "整张地图",
  "map.directions": "方向", "map.directionshint": "找出潜空间中会变化的东西，给它起名，再用到真实图片上。", "map.components": "主成分", "map.tochosen": "从其余到选中", "map.find": "寻找", "map.name": "方向的名称", "map.keep": "保留", "map.kept": "已保留。它现在是“绘画”和“探索”中的一个滑块。",
  "map.keptones": "保留的方向", "map.nokept": "还没有。", "map.forget": "点按移除", "map.forgetone": "移除方向 {name}", "map.apply": "在“绘画”中用于图片",
  "runs.compare": "比较两个", "compare.lead": "两者使用相同的种子和相同的滑块。", "compare.run": "模型 {n}", "compare.samples": "相同种子的样本", "compare.sample": "样本 {n}", "compare.locked": "联动滑块", "compare.axis": "轴 {n}",
  "compare.hint": "每个滑块让两个模型沿着各自最重要、次重要……的潜变量移动相同数目的标准差。",
};
